package main

import (
	"fmt"
	"github.com/caisson-go/caisson"
)

func main() {
	s := caisson.Spec{Image: "host", Args: []string{"true"}}
	p, err := s.Plan(nil)
	fmt.Println(p.Syscalls(), err)
	p, err = s.Plan(&caisson.Support{UID:1000,GID:1000})
	fmt.Println(p.Syscalls(), err)
}
