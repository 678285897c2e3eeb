// Package imageconfig changes the configuration of an image by instructions, as the --change option of docker commit and
// docker import does: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR, in
// the forms that a Dockerfile has.
//
// It computes and does nothing else.
package imageconfig
