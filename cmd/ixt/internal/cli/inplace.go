package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// inPlace has a file written beside the one that is wanted and gives it that name when it is whole. Of what fails, or is given up
// with ctx, nothing is left; what had the name before keeps it then. A link stays one. What is no file, such as a device, is
// written to as it is.
func inPlace(ctx context.Context, file string, write func(io.Writer) error) error {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	info, err := os.Stat(file)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a directory; name a file in it", file)
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	draft, err := createBeside(file)
	if err != nil {
		return err
	}
	err = errors.Join(write(draft), draft.Close())
	if err == nil {
		err = ctx.Err() // it came whole, and nobody wants it any more
	}
	if err == nil {
		err = os.Rename(draft.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(draft.Name()))
	}
	return nil
}

// createBeside creates a file of no other's name in the directory of the one that is wanted, with the mode that the user's umask gives.
func createBeside(file string) (*os.File, error) {
	for {
		f, err := os.OpenFile(filepath.Join(filepath.Dir(file), fmt.Sprintf(".ixt-%016x", rand.Uint64())), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		var failed *fs.PathError
		switch {
		case errors.Is(err, fs.ErrExist):
			continue
		case errors.As(err, &failed):
			return nil, fmt.Errorf("creating %s: %w", file, failed.Err)
		}
		return f, err
	}
}
