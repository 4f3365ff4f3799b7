package admin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// headerSHA256 carries the sum of a blob, hex.
const headerSHA256 = "Ixt-Sha256"

// PutBlob stores what from has, of any size, under a name.
func (c *Client) PutBlob(ctx context.Context, bucket, name string, from io.Reader) (info ipc.BlobInfo, err error) {
	response, err := c.send(ctx, http.MethodPut, c.endpoint("blobs", bucket, name), from)
	if err != nil {
		return info, err
	}
	defer response.Body.Close()
	return info, json.NewDecoder(response.Body).Decode(&info)
}

// GetBlob writes a blob to w. Its sum is checked at the end; what was written before an error is worth nothing.
func (c *Client) GetBlob(ctx context.Context, bucket, name string, w io.Writer) error {
	response, err := c.send(ctx, http.MethodGet, c.endpoint("blobs", bucket, name), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, sum), response.Body); err != nil {
		return err
	}
	if got, want := hex.EncodeToString(sum.Sum(nil)), response.Header.Get(headerSHA256); got != want {
		return fmt.Errorf("%s did not arrive whole: its sum is %.12s, it should be %.12s; try again", name, got, want)
	}
	return nil
}

// putBlob serves PUT /v1/blobs/{bucket}/{name}: the body is the blob.
func (s *Server) putBlob(w http.ResponseWriter, r *http.Request) {
	g := s.sup.Guest(nil)
	defer g.Close()
	info, err := put(r.Context(), g, ipc.BlobParams{Bucket: r.PathValue("bucket"), Name: r.PathValue("name")}, r.Body)
	if err != nil {
		refuse(w, err)
		return
	}
	reply(w, http.StatusOK, info)
}

func put(ctx context.Context, g *supervisor.Guest, p ipc.BlobParams, from io.Reader) (info ipc.BlobInfo, err error) {
	sum, chunk := sha256.New(), make([]byte, ipc.ChunkSize)
	for {
		n, err := io.ReadFull(from, chunk)
		if p.Last = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !p.Last {
			return info, ipc.Refuse(ipc.CodeCancelled, "the blob ended too early: %v", err)
		}
		sum.Write(chunk[:n])
		p.Payload = ipc.EncodePayload(chunk[:n])
		if p.Last {
			p.SHA256 = hex.EncodeToString(sum.Sum(nil))
			return info, askBlob(ctx, g, ipc.MethodPut, p, &info)
		}
		var open ipc.BlobUpload
		if err := askBlob(ctx, g, ipc.MethodPut, p, &open); err != nil {
			return info, err
		}
		p.Upload = open.Upload
	}
}

// getBlob serves GET /v1/blobs/{bucket}/{name}. An answer that breaks off has another sum than its header says.
func (s *Server) getBlob(w http.ResponseWriter, r *http.Request) {
	g := s.sup.Guest(nil)
	defer g.Close()
	p := ipc.BlobParams{Bucket: r.PathValue("bucket"), Name: r.PathValue("name")}
	for first := true; ; first = false {
		var chunk ipc.BlobChunk
		err := askBlob(r.Context(), g, ipc.MethodGet, p, &chunk)
		if err != nil {
			if first {
				refuse(w, err)
			}
			return
		}
		if first {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set(headerSHA256, chunk.SHA256)
		}
		b, err := chunk.Payload.Decode()
		if err != nil {
			return
		}
		if _, err := w.Write(b); err != nil || chunk.Last {
			return
		}
		p.Download = chunk.Download
	}
}

func askBlob(ctx context.Context, g *supervisor.Guest, method string, p ipc.BlobParams, result any) error {
	params, err := ipc.Pack(&p)
	if err != nil {
		return err
	}
	answer, err := g.Ask(ctx, ipc.ServiceBlob, method, params)
	if err != nil {
		return err
	}
	return answer.Unpack(result)
}
