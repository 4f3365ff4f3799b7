package host

import "os"

// Explain is what an error of the engine means for a module.
var Explain = explain

// OnSync lets sync bring files and directories to the disk, instead of the system. It is for a Host that was not opened yet.
func (h *Host) OnSync(sync func(*os.File) error) { h.engine.fsync = sync }

// Disk is what brings an embedded server's streams to the disk.
type Disk struct{ *disk }

// NewDisk is one for a store at root.
func NewDisk(root string, sync func(*os.File) error) Disk { return Disk{newDisk(root, sync)} }

// Join begins to settle a stream, for the function that it returns to await.
func (d Disk) Join(stream string) (settled func() error) {
	p := d.join(stream)
	return func() error {
		<-p.done
		return p.err
	}
}
