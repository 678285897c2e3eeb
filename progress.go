package caisson

// Progress is one moment of a transfer between a registry and the engine. Plain data, for a log line or a bar.
type Progress struct {
	Ref    string // the image, as a full reference
	Digest string // of the layer; "" for the image as a whole
	Phase  Phase
	Done   int64 // bytes transferred so far, in this phase
	Total  int64 // bytes there are
}

// Phase is where a transfer is.
type Phase string

// The phases of a layer. Waiting comes first, and one of Present, Mounted and Done last.
const (
	PhaseWaiting     Phase = "waiting"     // others come first
	PhaseDownloading Phase = "downloading" // and unpacked at the same time
	PhaseUnpacking   Phase = "unpacking"   // all has come; the rest is being written
	PhaseUploading   Phase = "uploading"
	PhasePresent     Phase = "present" // it was there already
	PhaseMounted     Phase = "mounted" // the registry had it in another repository
	PhaseDone        Phase = "done"
)
