package vec

// assembly says that this architecture has paths beside plain Go.
const assembly = true
