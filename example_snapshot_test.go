package caisson_test

import (
	"context"
	"fmt"
	"log"

	"github.com/caisson-go/caisson"
)

// A database is filled once. Every test begins with it as it was then, milliseconds later.
func ExampleContainer_Snapshot() {
	ctx := context.Background()
	var engine caisson.Engine
	img, err := engine.Pull(ctx, "docker.io/library/postgres:17", nil)
	if err != nil {
		log.Fatal(err)
	}
	fill := img.Command("sh", "-c", "initdb -D /var/lib/db && fill-it")
	if err := fill.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer fill.Close()
	if err := fill.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	filled, err := fill.Snapshot(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		db := filled.Command("postgres", "-D", "/var/lib/db")
		if err := db.Start(ctx); err != nil {
			log.Fatal(err)
		}
		defer db.Close()
	}
}

// Between two tests the files go back to what they were. The container stays the same.
func ExampleContainer_Restore() {
	ctx := context.Background()
	var engine caisson.Engine
	for filled, err := range engine.Snapshots(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		db := filled.Command("postgres", "-D", "/var/lib/db")
		if err := db.Start(ctx); err != nil {
			log.Fatal(err)
		}
		defer db.Close()
		for range 3 { // tests, each of which changes the data
			if err := db.Restore(ctx, filled); err != nil {
				log.Fatal(err)
			}
		}
	}
}

// Snapshots stay until they are removed.
func ExampleEngine_Snapshots() {
	ctx := context.Background()
	var engine caisson.Engine
	for s, err := range engine.Snapshots(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.ID(), "of", s.Image())
	}
}

// A snapshot that was remembered by its ID.
func ExampleEngine_Snapshot() {
	ctx := context.Background()
	var engine caisson.Engine
	s, err := engine.Snapshot(ctx, "5d3a0c6fb7d9a6d1c29f0c1f3c3f0d0b9a1a4b8a7e6f5d4c3b2a190817263544")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Image().ID())
}

// The ID of the image of a snapshot stands in a Spec, which may be sent to another program of the same engine.
func ExampleSnapshot_Image() {
	ctx := context.Background()
	var engine caisson.Engine
	for s, err := range engine.Snapshots(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		c := engine.New(caisson.Spec{Image: s.Image().ID(), Args: []string{"ls", "/"}})
		if err := c.Run(ctx); err != nil {
			log.Fatal(err)
		}
	}
}

// A program with the files that another one left.
func ExampleSnapshot_Command() {
	ctx := context.Background()
	var engine caisson.Engine
	for s, err := range engine.Snapshots(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		out, err := s.Command("ls", "/").Output(ctx)
		fmt.Println(string(out), err)
	}
}

// All of them go. One that is in use, or has another above it, says so.
func ExampleSnapshot_Remove() {
	ctx := context.Background()
	var engine caisson.Engine
	for s, err := range engine.Snapshots(ctx) {
		if err == nil {
			err = s.Remove(ctx)
		}
		if err != nil {
			log.Print(err)
		}
	}
}
