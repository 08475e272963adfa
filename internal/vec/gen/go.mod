module github.com/ceto-ml/ceto/internal/vec/gen

go 1.26.0
