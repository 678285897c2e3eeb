package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/caisson-go/caisson"
)

// hostName: the namespace holds the name that uname(2) tells, and sethostname(2) changes. Nothing lives in it; it is
// there for as long as it is open, or a process is in it.
func hostName(ctx context.Context) error {
	uts, err := caisson.NewNamespace(ctx, caisson.UTSNamespace)
	if err != nil {
		return err
	}
	defer uts.Close()
	if err := say(ctx, []*caisson.Namespace{uts}, "hostname", "inner"); err != nil {
		return err
	}
	if err := say(ctx, []*caisson.Namespace{uts}, "hostname"); err != nil {
		return err
	}
	here, err := os.Hostname()
	fmt.Printf("   outside it is still called %s\n", here)
	return err
}

// network: devices, addresses, routes and ports belong to the namespace. A new one has loopback and nothing else. A
// socket stays in the namespace that it was made in, whoever holds it (network_namespaces(7)): so this program can talk
// there without going there.
func network(ctx context.Context) error {
	own, err := caisson.NewNamespace(ctx, caisson.NetNamespace)
	if err != nil {
		return err
	}
	defer own.Close()
	if err := say(ctx, []*caisson.Namespace{own}, "cat", "/proc/net/dev"); err != nil {
		return err
	}
	l, err := own.Listen(ctx, "tcp", "127.0.0.1:80") // nobody else is in there: every port is free
	if err != nil {
		return err
	}
	defer l.Close()
	go answer(l)
	conn, err := own.Dial(ctx, "tcp", "127.0.0.1:80")
	if err != nil {
		return err
	}
	defer conn.Close()
	greeting, err := io.ReadAll(conn)
	fmt.Printf("   through a connection inside %v: %s\n", own, greeting)
	return err
}

func answer(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "hello")
		_ = conn.Close()
	}
}

// mounts: the namespace begins as a copy of the list of mount points. What is mounted there later is seen there alone.
func mounts(ctx context.Context) error {
	own, err := caisson.NewNamespace(ctx, caisson.MountNamespace)
	if err != nil {
		return err
	}
	defer own.Close()
	dir, err := os.MkdirTemp("", "caisson-namespaces-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := say(ctx, []*caisson.Namespace{own}, "mount", "-t", "tmpfs", "none", dir); err != nil {
		return err
	}
	file := filepath.Join(dir, "file")
	if err := say(ctx, []*caisson.Namespace{own}, "touch", file); err != nil {
		return err
	}
	if err := say(ctx, []*caisson.Namespace{own}, "ls", dir); err != nil {
		return err
	}
	_, err = os.Stat(file)
	if errors.Is(err, os.ErrNotExist) {
		fmt.Println("   outside the directory is still empty")
		return nil
	}
	return errors.Join(err, errors.New("the mount is seen outside"))
}

// users: ids in the namespace stand for ids outside, by a map. Root of the namespace has every capability, over what
// the namespace owns; that is how an ordinary user can do all of the above.
func users(ctx context.Context) error {
	own, err := caisson.NewNamespace(ctx, caisson.UserNamespace)
	if err != nil {
		return err
	}
	defer own.Close()
	fmt.Printf("   outside this is user %d\n", os.Getuid())
	return say(ctx, []*caisson.Namespace{own}, "id", "-u")
}
