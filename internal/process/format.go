package process

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// this is the machine as builders name it.
const this = runtime.GOOS + "/" + runtime.GOARCH

// elfArchs and machoArchs name processors as runtime.GOARCH does.
var (
	elfArchs = map[elf.Machine]string{
		elf.EM_386: "386", elf.EM_X86_64: "amd64", elf.EM_ARM: "arm", elf.EM_AARCH64: "arm64", elf.EM_RISCV: "riscv64",
		elf.EM_PPC64: "ppc64", elf.EM_S390: "s390x", elf.EM_LOONGARCH: "loong64", elf.EM_MIPS: "mips",
	}
	machoArchs = map[macho.Cpu]string{macho.Cpu386: "386", macho.CpuAmd64: "amd64", macho.CpuArm: "arm", macho.CpuArm64: "arm64"}
)

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
		return rebuild("an ELF program", elfArch(path))
	case bytes.HasPrefix(head, []byte("\xcf\xfa\xed\xfe")), bytes.HasPrefix(head, []byte("\xce\xfa\xed\xfe")):
		return rebuild("a macOS program", machoArch(path))
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

func elfArch(path string) string {
	f, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if arch, known := elfArchs[f.Machine]; known {
		return arch
	}
	return f.Machine.String()
}

func machoArch(path string) string {
	f, err := macho.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	return machoArchs[f.Cpu]
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
