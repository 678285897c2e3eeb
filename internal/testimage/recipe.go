package testimage

import (
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// recipe says what an image is made of.
type recipe struct {
	slow      bool       // minutes or many megabytes of downloads the first time, up to gigabytes of disk
	platforms []platform // more than one: there is an index
	layers    []source
	variants  []variant
	config    v1.Config
}

// platform is an architecture under its two names.
type platform struct {
	debian string // "" is this machine's
	oci    v1.Platform
}

// source is what one layer is made of: the files of Debian packages and what comes beside them, or a whole Debian.
type source struct {
	minbase  bool
	packages []string
	extra    []entry
}

// variant is an image's tag: how it is compressed, and which names its documents have.
type variant struct {
	tag         string
	compression string
	docker      bool
}

// The compressions, named after their media types.
const (
	plain = ""
	gzip  = "gzip"
	zstd  = "zstd"
)

func (v variant) mediaTypes() (manifest, config, layer types.MediaType) {
	if v.docker {
		return types.DockerManifestSchema2, types.DockerConfigJSON, types.DockerLayer
	}
	return types.OCIManifestSchema1, types.OCIConfigJSON, map[string]types.MediaType{
		plain: types.OCIUncompressedLayer, gzip: types.OCILayer, zstd: types.OCILayerZStd,
	}[v.compression]
}

func variants() []variant {
	return []variant{{"gzip", gzip, false}, {"zstd", zstd, false}, {"plain", plain, false}, {"docker", gzip, true}}
}

// recipes are the images by name.
func recipes() map[string]recipe {
	native := []platform{{}}
	return map[string]recipe{
		"busybox": {platforms: native, layers: busybox(), variants: variants(), config: busyboxConfig()},
		"odd":     {platforms: native, layers: odd(), variants: variants(), config: v1.Config{Cmd: []string{"/bin/sh"}}},
		"minbase": {slow: true, platforms: native, layers: []source{{minbase: true}}, variants: variants()[:2],
			config: v1.Config{Cmd: []string{"/bin/bash"}}},
		"multi": {slow: true, platforms: []platform{
			{"amd64", v1.Platform{OS: "linux", Architecture: "amd64"}},
			{"arm64", v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}},
			{"armhf", v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}},
		}, layers: busybox(), variants: variants()[:1], config: busyboxConfig()},
		"large": {slow: true, platforms: native, layers: large(), variants: variants()[:2],
			config: v1.Config{Cmd: []string{"/bin/bash"}, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}}},
	}
}

func busyboxConfig() v1.Config {
	return v1.Config{
		User: "app", WorkingDir: "/work", Env: []string{"PATH=/bin", "GREETING=hello"},
		Entrypoint: []string{"/bin/sh", "-c"}, Cmd: []string{`echo "$GREETING $(id -u) $(pwd)"`},
		Labels: map[string]string{"org.example.test": "busybox"}, StopSignal: "SIGKILL",
	}
}

// busybox is the program, with some of its names as links of both kinds, and a user.
func busybox() []source {
	return []source{{packages: []string{"busybox-static"}}, {extra: []entry{
		dir("etc", 0o755), file("etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/work:/bin/sh\n"),
		file("etc/group", "root:x:0:\napp:x:1000:\n"), symlink("bin", "usr/bin"), symlink("usr/bin/sh", "busybox"),
		symlink("usr/bin/cat", "busybox"), symlink("usr/bin/ls", "busybox"), symlink("usr/bin/id", "busybox"),
		dir("tmp", 0o1777), dir("work", 0o755).owned(1000, 1000), dir("proc", 0o755), dir("sys", 0o755), dir("dev", 0o755),
	}}}
}

// large is a development machine, and on top what an application changes: some of it removed, some replaced.
func large() []source {
	return []source{
		{minbase: true},
		{packages: []string{"perl", "perl-modules-5.36", "libperl5.36", "perl-doc"}},
		{packages: []string{"python3.11", "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib",
			"python3.11-doc", "python3-django", "python3-sympy", "python-babel-localedata"}},
		{packages: []string{"gcc-12", "cpp-12", "g++-12", "binutils-x86-64-linux-gnu", "libbinutils", "libgcc-12-dev",
			"libstdc++-12-dev", "libc6-dev", "linux-libc-dev"}},
		{packages: []string{"golang-1.19-go"}},
		{packages: []string{"golang-1.19-src"}},
		{packages: []string{"libboost1.74-dev"}},
		{packages: []string{"vim-runtime", "vim", "git", "git-man"}},
		{packages: []string{"fonts-noto-core", "fonts-dejavu-core", "fonts-liberation2", "fonts-freefont-ttf", "locales",
			"iso-codes", "tzdata", "breeze-icon-theme"}},
		{packages: []string{"openjdk-17-jre-headless", "libnode108", "libicu72"}},
		{packages: []string{"sudo", "iputils-ping", "libcap2-bin"}, extra: largeTop()},
	}
}

// largeTop removes and replaces what the layers below have.
func largeTop() []entry {
	return append(oddBase("srv/odd/"),
		dir("usr/share/doc", 0o755), opaque("usr/share/doc"), file("usr/share/doc/README", "removed to save room\n"),
		dir("usr/share/man", 0o755), whiteout("usr/share/man/man3"), whiteout("usr/share/man/man7"),
		dir("usr/share/vim/vim90", 0o755), whiteout("usr/share/vim/vim90/tutor"),
		dir("usr/share/vim/vim90/lang", 0o755), opaque("usr/share/vim/vim90/lang"),
		dir("usr/share/zoneinfo", 0o755), whiteout("usr/share/zoneinfo/Zulu"), whiteout("usr/share/zoneinfo/right"),
	)
}
