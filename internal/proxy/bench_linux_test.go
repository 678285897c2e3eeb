package proxy_test

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
	"github.com/caisson-go/caisson/internal/testneed"
)

func BenchmarkRoundTrip(b *testing.B) {
	p := start(b, proxy.Options{})
	for b.Loop() {
		if err := p.Do(func(*tape.Tape) {}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		p, err := proxy.Start(proxy.Options{})
		if err != nil {
			b.Fatal(err)
		}
		p.Close()
	}
}

const benchFiles, benchBatch = 30_000, 1000

var kibibyte = bytes.Repeat([]byte("x"), 1024)

// BenchmarkFiles makes 30,000 files of 1 KiB: with the host program's own calls, and by a proxy in a user
// namespace.
func BenchmarkFiles(b *testing.B) {
	b.Run("os", func(b *testing.B) {
		for b.Loop() {
			dir := b.TempDir()
			for i := range benchFiles {
				f, err := os.OpenFile(dir+"/"+strconv.Itoa(i), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := f.Write(kibibyte); err != nil {
					b.Fatal(err)
				}
				_ = f.Close()
			}
		}
		perFile(b)
	})
	b.Run("proxy", func(b *testing.B) {
		testneed.UserNamespaces(b)
		p := start(b, oneID())
		for b.Loop() {
			makeFiles(b, p, b.TempDir())
		}
		perFile(b)
	})
}

func perFile(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/benchFiles, "us/file")
}

func makeFiles(b *testing.B, p *proxy.Proxy, dir string) {
	d, err := os.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	n, err := p.Send(d)
	if err != nil {
		b.Fatal(err)
	}
	for done := 0; done < benchFiles; done += benchBatch {
		err := p.Do(func(t *tape.Tape) {
			fd := t.Slot("fd")
			for i := range benchBatch {
				t.Openat(tape.Int(n), strconv.Itoa(done+i), sys.O_CREAT|sys.O_WRONLY|sys.O_EXCL|sys.O_CLOEXEC, 0o600).To(fd)
				t.WriteMem(fd, t.Bytes(kibibyte).Addr(), len(kibibyte))
				t.Close(fd)
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Do(func(t *tape.Tape) { t.Close(tape.Int(n)) }); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRemoveAll removes 30,000 files in 300 directories.
func BenchmarkRemoveAll(b *testing.B) {
	for _, how := range []string{"os", "proxy"} {
		b.Run(how, func(b *testing.B) {
			parent := b.TempDir()
			p := start(b, proxy.Options{Prelude: func(t *tape.Tape) { t.Chdir(parent) }})
			for b.Loop() {
				b.StopTimer()
				for i := range benchFiles {
					d := fmt.Sprintf("%s/tree/%d", parent, i/100)
					if i%100 == 0 {
						must(b, os.MkdirAll(d, 0o755))
					}
					must(b, os.WriteFile(d+"/"+strconv.Itoa(i), nil, 0o600))
				}
				b.StartTimer()
				if how == "os" {
					must(b, os.RemoveAll(parent+"/tree"))
				} else {
					must(b, proxy.RemoveAll(p, tape.Cwd, "tree"))
				}
			}
			perFile(b)
		})
	}
}
