package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// newStartError finds out why a start failed. The system's error number is ambiguous (the same ENOENT stands for the program, its
// directory and its interpreter), so the files are looked at, which happens after the fact and may miss a fault since repaired.
func newStartError(spec Spec, err error) *StartError {
	e := &StartError{Path: spec.Path, Err: err}
	var cause syscall.Errno
	errors.As(err, &cause)
	switch {
	case explainResources(e, cause):
	case explainDir(e, spec.Dir, cause):
	case explainProgram(e, spec, cause):
	default:
		explainOther(e, cause)
	}
	return e
}

func (e *StartError) because(reason StartReason, format string, args ...any) bool {
	e.Reason, e.Detail = reason, fmt.Sprintf(format, args...)
	return true
}

func explainResources(e *StartError, cause syscall.Errno) bool {
	switch cause {
	case syscall.EAGAIN:
		return e.because(NoResources, "the limit of processes is reached; raise it (ulimit -u, or the container's) or run fewer")
	case syscall.ENOMEM:
		return e.because(NoResources, "no memory is left for another process; free some or run fewer")
	case syscall.EMFILE:
		return e.because(NoResources, "this process has too many open files; raise the limit (ulimit -n)")
	case syscall.ENFILE:
		return e.because(NoResources, "the system has too many open files; raise its limit (sysctl)")
	}
	return false
}

func explainDir(e *StartError, dir string, cause syscall.Errno) bool {
	if dir == "" {
		return false
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return e.because(BadDir, "its working directory %s does not exist; create it or correct the path", dir)
	case err == nil && !info.IsDir():
		return e.because(BadDir, "its working directory %s is a file; name a directory", dir)
	case cause == syscall.EACCES && unix.Access(dir, unix.X_OK) == syscall.EACCES:
		return e.because(BadDir, "its working directory %s may not be entered; run: chmod +x %s", dir, dir)
	}
	return false
}

func explainProgram(e *StartError, spec Spec, cause syscall.Errno) bool {
	if spec.Path == "" {
		return e.because(NotFound, "no program is named; give its path")
	}
	path := spec.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(spec.Dir, path)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return e.because(NotFound, "there is no such file; build the program or correct the path")
	case err != nil:
		return false
	case info.IsDir():
		return e.because(WrongFormat, "it is a directory; name the program in it")
	case !info.Mode().IsRegular():
		return e.because(WrongFormat, "it is not a regular file; name a program")
	}
	switch {
	case cause == syscall.ENOENT:
		return explainInterpreter(e, path, func(string) bool { return true })
	case cause == syscall.EACCES && unix.Access(path, unix.X_OK) == nil:
		return explainInterpreter(e, path, func(name string) bool { return unix.Access(name, unix.X_OK) != nil })
	case cause == syscall.EACCES && info.Mode()&0o111 != 0o111:
		return e.because(NoExecBit, "the file is not executable; run: chmod +x %s", path)
	case cause == syscall.EACCES:
		return e.because(NoExecBit, "its file system does not allow programs (mounted noexec); move the file to another")
	case isFormatError(cause):
		return e.because(WrongFormat, "%s", describeFormat(path))
	}
	return false
}

// explainInterpreter blames the interpreter that a script or a dynamically linked program names, if there is one and it is at fault.
func explainInterpreter(e *StartError, path string, atFault func(interpreter string) bool) bool {
	head := readHead(path)
	if bytes.HasPrefix(head, []byte("#!")) {
		name := interpreterOf(head)
		switch {
		case !atFault(name):
			return false
		case bytes.HasSuffix([]byte(name), []byte("\r")):
			return e.because(WrongFormat, "its first line ends as on Windows, so the interpreter is not found; convert its line ends, as with: dos2unix %s", path)
		case fileExists(name):
			return e.because(WrongFormat, "its first line names the interpreter %s, which may not be executed; correct the line or run: chmod +x %s", name, name)
		}
		return e.because(WrongFormat, "its first line names the interpreter %s, which does not exist; install it or correct the line", name)
	}
	if loader := loaderOf(path); loader != "" && atFault(loader) {
		return e.because(WrongFormat, "it needs the loader %s, which is not on this machine; link it statically or build it for this system", loader)
	}
	return false
}

func explainOther(e *StartError, cause syscall.Errno) {
	switch cause {
	case syscall.ETXTBSY:
		e.because(Other, "the file is still open for writing; start it when the build has finished")
	case syscall.E2BIG:
		e.because(Other, "its arguments and environment are too large; pass large values in a file")
	case syscall.EINVAL:
		e.because(Other, "its path, an argument or the environment holds a NUL byte; remove it")
	case syscall.EACCES:
		e.because(Other, "permission denied; every directory above it must be enterable (chmod +x) and its file system must allow programs")
	default:
		e.because(Other, "%v; start it by hand to see more", e.Err)
	}
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
