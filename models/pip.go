package models

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const pipAdvice = "install python3 and python3-pip (on Debian and Ubuntu: apt-get install python3 python3-pip)"

// stubBackend answers pip when it asks a source archive for its metadata, even to download
// it. It stands where pip looks for setuptools, so pip need not fetch setuptools to find out
// what is known already, and none of the archive's own code is run.
const stubBackend = `import os, sys

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    name, version = os.environ["FACESEARCH_PACKAGE"], os.environ["FACESEARCH_VERSION"]
    folder = name.replace("-", "_") + "-" + version + ".dist-info"
    os.mkdir(os.path.join(directory, folder))
    with open(os.path.join(directory, folder, "METADATA"), "w") as f:
        f.write("Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n")
    return folder

__legacy__ = sys.modules[__name__]
`

// download has pip fetch the archive into a folder under work and returns its path. pip knows
// the machine's mirrors, proxies and certificates, and compares the archive's checksum.
func download(ctx context.Context, work string, archive Archive) (string, error) {
	if _, err := exec.LookPath("python3"); err != nil {
		return "", fmt.Errorf("python3 was not found: %s", pipAdvice)
	}
	arguments, environment, err := prepare(work, archive)
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, "python3", arguments...)
	command.Env = append(os.Environ(), environment...)
	command.Dir = work // Python looks for modules in the current directory first
	// pip starts processes of its own, which must end with it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = 5 * time.Second
	if output, err := command.CombinedOutput(); err != nil {
		return "", pipError(err, string(output))
	}
	path := filepath.Join(work, "archives", archive.FileName)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("pip ended without an error but left no %s", archive.FileName)
	}
	return path, nil
}

// prepare writes what pip needs into work.
func prepare(work string, archive Archive) (arguments, environment []string, err error) {
	requirements := filepath.Join(work, "requirements.txt")
	temporary := filepath.Join(work, "tmp")
	backend := filepath.Join(work, "backend", "setuptools")
	pin := fmt.Sprintf("%s==%s --hash=sha256:%s\n", archive.Package, archive.Version, archive.SHA256)
	err = errors.Join(
		os.MkdirAll(temporary, 0o755),
		os.MkdirAll(backend, 0o755),
		os.WriteFile(requirements, []byte(pin), 0o644),
		os.WriteFile(filepath.Join(backend, "__init__.py"), nil, 0o644),
		os.WriteFile(filepath.Join(backend, "build_meta.py"), []byte(stubBackend), 0o644),
	)
	if err != nil {
		return nil, nil, err
	}
	arguments = []string{"-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
		"--no-deps", "--require-hashes", "--ignore-requires-python",
		"--requirement", requirements, "--dest", filepath.Join(work, "archives")}
	environment = []string{
		"TMPDIR=" + temporary, // so that nothing is left behind when pip is stopped
		"PIP_REQUIRE_VIRTUALENV=false",
	}
	if strings.HasSuffix(archive.FileName, ".whl") {
		return append(arguments, wheelOptions(archive.FileName)...), environment, nil
	}
	arguments = append(arguments, "--no-binary=:all:", "--no-build-isolation", "--use-pep517")
	environment = append(environment,
		"PYTHONPATH="+filepath.Dir(backend)+string(os.PathListSeparator)+os.Getenv("PYTHONPATH"),
		"FACESEARCH_PACKAGE="+archive.Package,
		"FACESEARCH_VERSION="+archive.Version)
	return arguments, environment, nil
}

// wheelOptions makes pip choose the wheel by the tags in its name, whatever the Python that
// pip runs on. All that are pinned and have a platform are CPython's: NAME-VERSION-cp311-cp311-PLATFORM[.PLATFORM].whl.
func wheelOptions(fileName string) []string {
	options := []string{"--only-binary=:all:"}
	tags := strings.Split(strings.TrimSuffix(fileName, ".whl"), "-")
	if len(tags) < 5 || tags[len(tags)-1] == "any" {
		return options
	}
	platforms, abi, python := tags[len(tags)-1], tags[len(tags)-2], tags[len(tags)-3]
	options = append(options,
		"--implementation=cp", "--python-version="+strings.TrimPrefix(python, "cp"), "--abi="+abi)
	for platform := range strings.SplitSeq(platforms, ".") {
		options = append(options, "--platform="+platform)
	}
	return options
}

// pipError keeps the end of what pip printed, where its reason stands.
func pipError(err error, output string) error {
	if strings.Contains(output, "No module named pip") {
		return fmt.Errorf("python3 has no pip: %s", pipAdvice)
	}
	const linesMax, bytesMax = 12, 2000
	output = strings.TrimSpace(output)
	lines := strings.Split(output, "\n")
	output = strings.Join(lines[max(0, len(lines)-linesMax):], "\n")
	output = output[max(0, len(output)-bytesMax):]
	return fmt.Errorf("pip download: %w: %s", err, output)
}
