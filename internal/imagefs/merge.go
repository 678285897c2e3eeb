package imagefs

// merge puts a layer on top of the layers below it, as overlayfs does, and returns the whole. Both trees are used up.
func merge(lower, upper *node) *node {
	if lower == nil || !lower.isDir() || !upper.isDir() || upper.is(isOpaque) {
		return settle(upper)
	}
	if !upper.is(isImplied) {
		lower.lookLike(upper)
		lower.state &^= isImplied
	}
	names := lower.dir.byName
	for name, n := range upper.dir.byName {
		if n.is(isWhiteout) {
			delete(names, name)
		} else {
			names[name] = merge(names[name], n)
		}
	}
	return lower
}

// settle removes the whiteouts from a tree with nothing below it.
func settle(n *node) *node {
	if !n.isDir() {
		return n
	}
	n.state &^= isOpaque
	for name, c := range n.dir.byName {
		if c.is(isWhiteout) {
			delete(n.dir.byName, name)
		} else {
			settle(c)
		}
	}
	return n
}
