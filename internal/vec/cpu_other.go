//go:build !amd64

package vec

// assembly says that this architecture has paths beside plain Go.
const assembly = false
