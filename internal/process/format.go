package process

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// this is the machine as builders name it.
const this = runtime.GOOS + "/" + runtime.GOARCH

// machoArchs names processors as runtime.GOARCH does.
var machoArchs = map[macho.Cpu]string{macho.Cpu386: "386", macho.CpuAmd64: "amd64", macho.CpuArm: "arm", macho.CpuArm64: "arm64"}

// describeFormat says what a file is that the system refused to execute, and what would be better.
func describeFormat(path string) string {
	head := readHead(path)
	switch {
	case head == nil:
		return "it is no program for " + this + ", and may not be read to say more"
	case len(head) == 0:
		return "the file is empty; build the program again"
	case bytes.HasPrefix(head, []byte("#!")):
		return fmt.Sprintf("its first line names the interpreter %q, which is none; correct the line", interpreterOf(head))
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		return rebuild("an ELF program", elfArch(head))
	case bytes.HasPrefix(head, []byte("\xcf\xfa\xed\xfe")), bytes.HasPrefix(head, []byte("\xce\xfa\xed\xfe")):
		return rebuild("a macOS program", machoArch(head))
	case bytes.HasPrefix(head, []byte("MZ")):
		return rebuild("a Windows program", "")
	}
	return fmt.Sprintf("it is neither a program for %s nor a script; a script's first line must name its interpreter, as in #!/bin/sh", this)
}

// rebuild: the architecture is empty if it is unknown or not the point.
func rebuild(what, arch string) string {
	switch arch {
	case "":
		return fmt.Sprintf("it is %s; build it for %s", what, this)
	case runtime.GOARCH:
		return fmt.Sprintf("it is %s, damaged or of another system; build it for %s", what, this)
	}
	return fmt.Sprintf("it is %s for %s; build it for %s", what, arch, this)
}

// elfArch names the processor of an ELF program as runtime.GOARCH does, whatever the state of the rest of the file.
func elfArch(head []byte) string {
	const machine = 18 // its offset, 2 bytes
	if len(head) < machine+2 {
		return ""
	}
	var order binary.ByteOrder = binary.LittleEndian
	little := head[elf.EI_DATA] != byte(elf.ELFDATA2MSB)
	if !little {
		order = binary.BigEndian
	}
	wide := head[elf.EI_CLASS] == byte(elf.ELFCLASS64)
	form := elfForm{elf.Machine(order.Uint16(head[machine:])), wide, little}
	if arch := elfArchs[form]; arch != "" {
		return arch
	}
	return strings.TrimPrefix(form.machine.String(), "EM_")
}

// elfForm is what tells the processors of ELF programs apart.
type elfForm struct {
	machine elf.Machine
	wide    bool // 64 bits
	little  bool // least significant byte first
}

var elfArchs = map[elfForm]string{
	{elf.EM_386, false, true}:      "386",
	{elf.EM_X86_64, true, true}:    "amd64",
	{elf.EM_ARM, false, true}:      "arm",
	{elf.EM_AARCH64, true, true}:   "arm64",
	{elf.EM_LOONGARCH, true, true}: "loong64",
	{elf.EM_MIPS, false, false}:    "mips",
	{elf.EM_MIPS, false, true}:     "mipsle",
	{elf.EM_MIPS, true, false}:     "mips64",
	{elf.EM_MIPS, true, true}:      "mips64le",
	{elf.EM_PPC64, true, false}:    "ppc64",
	{elf.EM_PPC64, true, true}:     "ppc64le",
	{elf.EM_RISCV, true, true}:     "riscv64",
	{elf.EM_S390, true, false}:     "s390x",
}

// machoArch is the same for a macOS program; "" if it is none of the usual ones.
func machoArch(head []byte) string {
	if len(head) < 8 {
		return ""
	}
	return machoArchs[macho.Cpu(binary.LittleEndian.Uint32(head[4:]))]
}

// loaderOf returns the interpreter of a dynamically linked ELF program, "" if there is none.
func loaderOf(path string) string {
	f, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			name, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
			if err != nil {
				return ""
			}
			return strings.TrimRight(string(name), "\x00")
		}
	}
	return ""
}

// readHead returns the first bytes of a file, nil if it cannot be read.
func readHead(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 256)) // as much as Linux looks at
	if err != nil {
		return nil
	}
	return head
}

// interpreterOf returns the program a #! line names, with a carriage return where the line has one and the name ends there.
func interpreterOf(head []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimPrefix(head, []byte("#!")), []byte("\n"))
	line = bytes.TrimLeft(line, " \t")
	if end := bytes.IndexAny(line, " \t"); end >= 0 {
		line = line[:end]
	}
	return string(line)
}
