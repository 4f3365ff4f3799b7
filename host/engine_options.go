package host

import (
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/ixtrun/ixt/ipc"
)

// check says what is wrong with the options, and what they mean to the client of NATS otherwise.
func (o *Options) check() ([]nats.Option, error) {
	out := []nats.Option{
		nats.Name("ixt"),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // whoever runs the server may allow it yet
		nats.ReconnectWait(500 * time.Millisecond),
		nats.ReconnectBufSize(-1), // nothing is sent later than it was asked for
		nats.Timeout(dialTime),
	}
	if o.KVSync != SyncAlways && o.KVSync != SyncInterval {
		return nil, invalid("kv sync %q: write %q or %q", o.KVSync, SyncAlways, SyncInterval)
	}
	for bucket, sync := range o.KVBuckets {
		if sync != SyncAlways && sync != SyncInterval {
			return nil, invalid("kv sync %q of the bucket %s: write %q or %q", sync, bucket, SyncAlways, SyncInterval)
		}
	}
	if o.URL == "" {
		for name, file := range map[string]string{"credentials": o.Credentials, "nkey": o.NKey, "CA": o.CA, "certificate": o.Cert, "key": o.Key} {
			if file != "" {
				return nil, invalid("the %s file %s belongs to a NATS server: name that by its URL, too", name, file)
			}
		}
		return out, o.checkListen()
	}
	if o.Listen != "" {
		return nil, invalid("an engine cannot be at %s and listen at %s: leave one of them out", redacted(o.URL), o.Listen)
	}
	if err := checkURL(o.URL); err != nil {
		return nil, err
	}
	return o.withFiles(out)
}

// withFiles adds what the files say; each is read now, so that a bad one is not a server that refuses for ever.
func (o *Options) withFiles(out []nats.Option) ([]nats.Option, error) {
	if o.Credentials != "" && o.NKey != "" {
		return nil, invalid("both a credentials file and an nkey file: leave one of them out")
	}
	if o.Credentials != "" {
		if err := checkCredentials(o.Credentials); err != nil {
			return nil, invalid("the credentials file %s: %v; `nsc generate creds` writes one", o.Credentials, err)
		}
		out = append(out, nats.UserCredentials(o.Credentials))
	}
	if o.NKey != "" {
		option, err := nats.NkeyOptionFromSeed(o.NKey)
		if err != nil {
			return nil, invalid("the nkey file %s: %v; `nk -gen user` writes one", o.NKey, err)
		}
		out = append(out, option)
	}
	if (o.Cert == "") != (o.Key == "") {
		return nil, invalid("a certificate and its key go together: name both files")
	}
	var tls []nats.Option
	if o.CA != "" {
		tls = append(tls, nats.RootCAs(o.CA))
	}
	if o.Cert != "" {
		tls = append(tls, nats.ClientCert(o.Cert, o.Key))
	}
	for _, option := range tls {
		if err := option(&nats.Options{}); err != nil {
			return nil, invalid("%v; name PEM files", err)
		}
	}
	return append(out, tls...), nil
}

func checkCredentials(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if _, err := nkeys.ParseDecoratedJWT(text); err != nil {
		return err
	}
	key, err := nkeys.ParseDecoratedUserNKey(text)
	if err == nil {
		key.Wipe()
	}
	return err
}

func checkURL(urls string) error {
	for _, text := range strings.Split(urls, ",") {
		text = strings.TrimSpace(text)
		whole := text
		if !strings.Contains(text, "://") {
			whole = "nats://" + text
		}
		u, err := url.Parse(whole)
		switch {
		case err != nil || u.Hostname() == "" || (strings.Contains(u.Hostname(), ":") && u.Host[0] != '['):
			return invalid("%q is no address of a NATS server: write nats://host:4222", redacted(text))
		case u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss":
			return invalid("%q: a NATS server is not reached by %s; write nats://host:4222, or tls://, ws:// or wss://", redacted(text), u.Scheme)
		}
		if port := u.Port(); port != "" && !isPort(port) {
			return invalid("%q: %s is no port; write nats://host:4222", redacted(text), port)
		}
	}
	return nil
}

func (o *Options) checkListen() error {
	if o.Listen == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(o.Listen)
	if err != nil || (port != "0" && !isPort(port)) {
		return invalid("%q is nowhere to listen: write host:port, such as 127.0.0.1:4222", o.Listen)
	}
	return nil
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

func invalid(format string, args ...any) *ipc.Error {
	return ipc.Refuse(ipc.CodeConfigInvalid, format, args...)
}

// redacted is a list of addresses without the passwords in them.
func redacted(urls string) string {
	parts := strings.Split(urls, ",")
	for i, text := range parts {
		parts[i] = strings.TrimSpace(text)
		if before, after, found := strings.Cut(parts[i], "@"); found {
			scheme, _, _ := strings.Cut(before, "://")
			if scheme == before {
				scheme = "nats"
			}
			parts[i] = scheme + "://***@" + after
		}
	}
	return strings.Join(parts, ", ")
}
