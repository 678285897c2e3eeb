// Command export writes the files of an image: as one tar archive, or a single file of it. Nothing is unpacked and no
// container runs, so it works without any right and without Linux.
//
//	go run ./examples/export docker.io/library/alpine:3.20 > root.tar
//	go run ./examples/export docker.io/library/alpine:3.20 etc/os-release
//
// It teaches that an image is a file system, fs.FS, and nothing more.
package main

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/caisson-go/caisson"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "export:", err)
		os.Exit(1)
	}
}

func run() error {
	var engine caisson.Engine
	flag.StringVar(&engine.Dir, "state", "", "the state `directory`")
	flag.Func("insecure", "a `registry` that may be plain HTTP", func(v string) error { engine.Insecure = append(engine.Insecure, v); return nil })
	flag.Parse()
	ctx := context.Background()
	img, err := engine.Pull(ctx, flag.Arg(0), nil)
	if err != nil {
		return err
	}
	if flag.NArg() < 2 {
		return img.Export(ctx, os.Stdout)
	}
	for _, name := range flag.Args()[1:] {
		b, err := fs.ReadFile(img.FS(), strings.Trim(name, "/"))
		if err != nil {
			return err
		}
		if _, err := os.Stdout.Write(b); err != nil {
			return err
		}
	}
	return nil
}
