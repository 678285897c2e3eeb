package caisson

// Progress is how far a part of an image is on its way between a registry and the engine. It is plain data, for a log
// line or a bar.
type Progress struct {
	Ref    string // the image, as a full reference
	Digest string // of the part, as it is packed
	Phase  Phase  // what happens to it
	Done   int64  // bytes that have come or gone so far; less than before if the part is tried again from the beginning
	Total  int64  // bytes there are
}

// Phase is what happens to a part of an image: a layer, or its configuration.
type Phase string

// The phases. Of a pull: waiting, then exists, or downloading, unpacking and done. Of a push: waiting, then exists,
// mounted, or pushing and done.
const (
	PhaseWaiting     Phase = "waiting"     // for others
	PhaseDownloading Phase = "downloading" // and unpacking, which goes on at the same time
	PhaseUnpacking   Phase = "unpacking"   // all of it is here
	PhaseExists      Phase = "exists"      // nothing is to be done
	PhasePushing     Phase = "pushing"     // to the registry
	PhaseMounted     Phase = "mounted"     // nothing is to be done: the registry has taken it from another of its repositories
	PhaseDone        Phase = "done"        // all of it is where it should be
)
