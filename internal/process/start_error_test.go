package process_test

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/process"
)

// foreignELF is the start of a program for a processor this is not.
func foreignELF() (head []byte, arch string) {
	machine, arch := elf.EM_AARCH64, "arm64"
	if runtime.GOARCH == arch {
		machine, arch = elf.EM_X86_64, "amd64"
	}
	head = make([]byte, 64)
	copy(head, elf.ELFMAG)
	head[elf.EI_CLASS], head[elf.EI_DATA], head[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	binary.LittleEndian.PutUint16(head[16:], uint16(elf.ET_EXEC))
	binary.LittleEndian.PutUint16(head[18:], uint16(machine))
	binary.LittleEndian.PutUint32(head[20:], uint32(elf.EV_CURRENT))
	binary.LittleEndian.PutUint16(head[52:], uint16(len(head)))
	return head, arch
}

func TestStartError(t *testing.T) {
	const this = runtime.GOOS + "/" + runtime.GOARCH
	elfHead, elfArch := foreignELF()
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"empty":       nil,
		"text":        []byte("echo hello\n"),
		"orphan":      []byte("#! /opt/nowhere/python -u\n"),
		"windows":     []byte("#!/bin/sh\r\nexit 0\r\n"),
		"uninvited":   []byte("#!" + dir + "/plain\n"),
		"program.exe": []byte("MZ\x90\x00"),
		"foreign":     elfHead,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plain"), []byte("#!/bin/sh\n"), 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o755))

	s := newSpawner(t)
	for _, c := range []struct {
		name   string
		spec   process.Spec
		reason process.StartReason
		errno  syscall.Errno
		text   string // DIR stands for the directory
	}{
		{"no path", process.Spec{}, process.NotFound, syscall.ENOENT,
			"cannot start : no program is named; give its path"},
		{"no file", process.Spec{Path: dir + "/missing"}, process.NotFound, syscall.ENOENT,
			"cannot start DIR/missing: there is no such file; build the program or correct the path"},
		{"no file in Dir", process.Spec{Path: "./missing", Dir: dir}, process.NotFound, syscall.ENOENT,
			"cannot start ./missing: there is no such file; build the program or correct the path"},
		{"below a file", process.Spec{Path: dir + "/plain/missing"}, process.NotFound, syscall.ENOTDIR,
			"cannot start DIR/plain/missing: there is no such file; build the program or correct the path"},
		{"no x bit", process.Spec{Path: dir + "/plain"}, process.NoExecBit, syscall.EACCES,
			"cannot start DIR/plain: the file is not executable; run: chmod +x DIR/plain"},
		{"directory", process.Spec{Path: dir + "/folder"}, process.WrongFormat, syscall.EACCES,
			"cannot start DIR/folder: it is a directory; name the program in it"},
		{"empty", process.Spec{Path: dir + "/empty"}, process.WrongFormat, syscall.ENOEXEC,
			"cannot start DIR/empty: the file is empty; build the program again"},
		{"script without #!", process.Spec{Path: dir + "/text"}, process.WrongFormat, syscall.ENOEXEC,
			"cannot start DIR/text: it is neither a program for " + this + " nor a script; " +
				"a script's first line must name its interpreter, as in #!/bin/sh"},
		{"interpreter missing", process.Spec{Path: dir + "/orphan"}, process.WrongFormat, syscall.ENOENT,
			"cannot start DIR/orphan: its first line names the interpreter /opt/nowhere/python, which does not exist; " +
				"install it or correct the line"},
		{"interpreter not executable", process.Spec{Path: dir + "/uninvited"}, process.WrongFormat, syscall.EACCES,
			"cannot start DIR/uninvited: its first line names the interpreter DIR/plain, which may not be executed; " +
				"correct the line or run: chmod +x DIR/plain"},
		{"carriage return", process.Spec{Path: dir + "/windows"}, process.WrongFormat, syscall.ENOENT,
			"cannot start DIR/windows: its first line ends as on Windows, so the interpreter is not found; " +
				"convert its line ends, as with: dos2unix DIR/windows"},
		{"Windows program", process.Spec{Path: dir + "/program.exe"}, process.WrongFormat, syscall.ENOEXEC,
			"cannot start DIR/program.exe: it is a Windows program; build it for " + this},
		{"other processor", process.Spec{Path: dir + "/foreign"}, process.WrongFormat, syscall.ENOEXEC,
			"cannot start DIR/foreign: it is an ELF program for " + elfArch + "; build it for " + this},
		{"no Dir", process.Spec{Path: "/bin/sh", Dir: dir + "/gone"}, process.BadDir, syscall.ENOENT,
			"cannot start /bin/sh: its working directory DIR/gone does not exist; create it or correct the path"},
		{"Dir is a file", process.Spec{Path: "/bin/sh", Dir: dir + "/plain"}, process.BadDir, syscall.ENOTDIR,
			"cannot start /bin/sh: its working directory DIR/plain is a file; name a directory"},
		{"NUL", process.Spec{Path: "/bin/sh", Args: []string{"a\x00b"}}, process.Other, syscall.EINVAL,
			"cannot start /bin/sh: its path, an argument or the environment holds a NUL byte; remove it"},
		{"large argument", process.Spec{Path: "/bin/sh", Args: []string{strings.Repeat("x", 8<<20)}}, process.Other, syscall.E2BIG,
			"cannot start /bin/sh: its arguments and environment are too large; pass large values in a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := s.Start(c.spec)
			require.Nil(t, p)
			var startError *process.StartError
			require.True(t, errors.As(err, &startError), "%T", err)
			require.Equal(t, c.reason, startError.Reason, startError.Reason)
			require.Equal(t, c.spec.Path, startError.Path)
			require.ErrorIs(t, err, c.errno)
			require.EqualError(t, err, strings.ReplaceAll(c.text, "DIR", dir))
		})
	}
}

func TestStartErrorWithoutFiles(t *testing.T) {
	_, out := startPiped(t, newSpawner(t), role(t, "exhaust"))
	require.Equal(t, "cannot start /bin/sh: this process has too many open files; raise the limit (ulimit -n)\n", out.rest())
}
