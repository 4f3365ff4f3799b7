package process_test

import (
	"debug/elf"
	"debug/macho"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/process"
)

// elfStart is how an ELF program begins, with nothing of it behind its processor.
func elfStart(class elf.Class, data elf.Data, machine elf.Machine) []byte {
	head := make([]byte, 20)
	copy(head, elf.ELFMAG)
	head[elf.EI_CLASS], head[elf.EI_DATA] = byte(class), byte(data)
	var order binary.ByteOrder = binary.LittleEndian
	if data == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	order.PutUint16(head[16:], uint16(elf.ET_EXEC))
	order.PutUint16(head[18:], uint16(machine))
	return head
}

// A program for another processor is told by it, whatever is left of the program.
func TestProcessorOfAProgram(t *testing.T) {
	const little, big = elf.ELFDATA2LSB, elf.ELFDATA2MSB
	const narrow, wide = elf.ELFCLASS32, elf.ELFCLASS64
	for _, c := range []struct {
		head []byte
		want string
	}{
		{elfStart(narrow, little, elf.EM_386), "an ELF program for 386"},
		{elfStart(wide, little, elf.EM_X86_64), "an ELF program for amd64"},
		{elfStart(narrow, little, elf.EM_ARM), "an ELF program for arm"},
		{elfStart(wide, little, elf.EM_AARCH64), "an ELF program for arm64"},
		{elfStart(wide, little, elf.EM_LOONGARCH), "an ELF program for loong64"},
		{elfStart(narrow, big, elf.EM_MIPS), "an ELF program for mips"},
		{elfStart(wide, little, elf.EM_MIPS), "an ELF program for mips64le"},
		{elfStart(wide, big, elf.EM_PPC64), "an ELF program for ppc64"},
		{elfStart(wide, little, elf.EM_PPC64), "an ELF program for ppc64le"},
		{elfStart(wide, little, elf.EM_RISCV), "an ELF program for riscv64"},
		{elfStart(wide, big, elf.EM_S390), "an ELF program for s390x"},
		{elfStart(wide, big, elf.EM_SPARCV9), "an ELF program for SPARCV9"},
		{[]byte(elf.ELFMAG), "an ELF program"},
		{binary.LittleEndian.AppendUint32([]byte("\xcf\xfa\xed\xfe"), uint32(macho.CpuArm64)), "a macOS program for arm64"},
		{[]byte("\xcf\xfa\xed\xfe"), "a macOS program"},
	} {
		t.Run(c.want, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "program")
			require.NoError(t, os.WriteFile(path, c.head, 0o755))
			_, err := newSpawner(t).Start(process.Spec{Path: path})
			var startError *process.StartError
			require.ErrorAs(t, err, &startError)
			if c.want == "an ELF program for "+runtime.GOARCH || c.want == "a macOS program for "+runtime.GOARCH {
				c.want = c.want[:len(c.want)-len(" for "+runtime.GOARCH)] + ", damaged or of another system"
			}
			require.Equal(t, "it is "+c.want+"; build it for "+runtime.GOOS+"/"+runtime.GOARCH, startError.Detail)
		})
	}
}
