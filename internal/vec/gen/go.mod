module github.com/ceto-ml/ceto/internal/vec/gen

go 1.26.0

require (
	github.com/mmcloughlin/avo v0.5.0 // indirect
	golang.org/x/mod v0.21.0 // indirect
	golang.org/x/sync v0.8.0 // indirect
	golang.org/x/tools v0.26.0 // indirect
)
