package layer

// maxDifferences bounds what Compare tells of one layer.
const maxDifferences = 100

// Difference is one thing in which an unpacked layer is not what its tar stream says.
type Difference struct {
	Path string // below the layer's root; "." is the root itself
	What string // "is missing", "content", "mode is 0644, not 0755", ...
}

// Comparison is what came of Compare.
type Comparison struct {
	Differences []Difference // the first 100
	Entries     int64        // names that were compared

	// Unread counts the files and directories whose content this user may not read, those of subordinate ids or of mode
	// 0, where no process could be had that may. Their looks were compared.
	Unread int64
}

func (c *Comparison) differ(path, what string) {
	if path == "" {
		path = "."
	}
	if len(c.Differences) < maxDifferences {
		c.Differences = append(c.Differences, Difference{path, what})
	}
}
