package registry

const uploadChunk = 8 << 20
