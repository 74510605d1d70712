// Package opensearchtest runs OpenSearch nodes for tests, on loopback, each with ports and a
// folder of its own, and as a user who is not root, which OpenSearch asks for.
package opensearchtest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// HomeVariable is the environment variable that names the folder of the distribution, which
// .ci/opensearch unpacks.
const HomeVariable = "FACESEARCH_OPENSEARCH_HOME"

// startMax is how long a node may take until it answers.
const startMax = 3 * time.Minute

// A Cluster is some nodes that know each other.
type Cluster struct {
	Nodes        []*Node
	folder, data string
}

// A Node is one process.
type Node struct {
	Name       string
	URL        string
	http       int
	transport  int
	folder     string
	data       string
	home       string
	java       string // options
	process    *exec.Cmd
	ended      chan struct{} // closed when the process has ended
	credential *syscall.Credential
	security   *Security // nil: none
}

// A plan is what cluster to start.
type plan struct {
	home     string // of the distribution
	nodes    int
	parent   string // of the folder with their data; empty: the temporary directory
	java     string // options
	security *Security
}

// Start starts a cluster of a number of nodes for tests: in memory where there is enough, and
// ready soon rather than quick for long. The caller stops it with Close.
func Start(nodes int) (*Cluster, error) { return startTest(nodes, HomeVariable, nil) }

// startTest starts the distribution that a variable names, secured unless security is nil.
func startTest(nodes int, variable string, security *Security) (*Cluster, error) {
	home := os.Getenv(variable)
	if home == "" {
		return nil, fmt.Errorf("%s is not set: run the tests with make test-opensearch", variable)
	}
	return start(plan{home, nodes, inMemory(nodes), "-Xms384m -Xmx384m -XX:TieredStopAtLevel=1", security})
}

// StartLasting starts one node of a distribution to measure with, as it would be run: on the
// disk, and compiled as far as it goes.
func StartLasting(home string) (*Cluster, error) {
	return start(plan{home: home, nodes: 1, java: "-Xms1g -Xmx1g"})
}

// memoryBytes is what the files of a node take at most, with room.
const memoryBytes = 1 << 30

// inMemory is a folder for files that need no disk, so that no write waits for one; empty where
// memory has no room for them.
func inMemory(nodes int) string {
	const memory = "/dev/shm"
	var room syscall.Statfs_t
	if syscall.Statfs(memory, &room) != nil || room.Bavail*uint64(room.Bsize) < uint64(nodes)*memoryBytes {
		return ""
	}
	return memory
}

// start waits until all nodes are there. Their data is kept in a new folder of the parent.
func start(plan plan) (*Cluster, error) {
	cluster := &Cluster{}
	if err := cluster.start(plan); err != nil {
		return nil, errors.Join(err, cluster.Close())
	}
	return cluster, nil
}

func (c *Cluster) start(plan plan) (err error) {
	if c.folder, err = os.MkdirTemp("", "facesearch-opensearch-"); err != nil {
		return err
	}
	if c.data, err = os.MkdirTemp(plan.parent, "facesearch-opensearch-data-"); err != nil {
		return err
	}
	// The nodes' user has to pass through.
	if err := errors.Join(os.Chmod(c.folder, 0o755), os.Chmod(c.data, 0o755)); err != nil {
		return err
	}
	credential, err := unprivileged()
	if err != nil {
		return err
	}
	ports, err := freePorts(2 * plan.nodes)
	if err != nil {
		return err
	}
	for i := range plan.nodes {
		name := fmt.Sprint("node-", i+1)
		c.Nodes = append(c.Nodes, &Node{
			Name: name, URL: fmt.Sprint("http://127.0.0.1:", ports[2*i]), http: ports[2*i], transport: ports[2*i+1],
			folder: filepath.Join(c.folder, name), data: filepath.Join(c.data, name),
			home: plan.home, java: plan.java, credential: credential, security: plan.security,
		})
		if plan.security != nil {
			c.Nodes[i].URL = fmt.Sprint("https://127.0.0.1:", ports[2*i])
		}
	}
	for _, node := range c.Nodes {
		if err := node.prepare(c.Nodes); err != nil {
			return err
		}
		if err := node.Start(); err != nil {
			return err
		}
	}
	return c.Await()
}

// unprivileged is who the nodes run as: nobody, when the tests run as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: false}, err
}

func freePorts(count int) (ports []int, err error) {
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() // only when all are known, so that they differ
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// prepare writes a node's folders and configuration.
func (n *Node) prepare(nodes []*Node) error {
	config := filepath.Join(n.folder, "config")
	for _, folder := range []string{n.folder, config, filepath.Join(config, "jvm.options.d"), n.DataFolder(), n.SnapshotFolder(), n.logs(), filepath.Join(n.folder, "tmp")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"log4j2.properties", "jvm.options"} {
		data, err := os.ReadFile(filepath.Join(n.home, "config", name))
		if err != nil {
			return err
		}
		// The JVM's own logs and dumps have relative paths, to a folder that is not ours to write in.
		text := regexp.MustCompile(`(?m)^.*(HeapDumpPath|ErrorFile|-Xlog:gc).*$`).ReplaceAllString(string(data), "")
		if err := os.WriteFile(filepath.Join(config, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	yaml := n.yaml(nodes)
	if n.security != nil {
		if err := n.security.write(config); err != nil {
			return err
		}
		yaml += "\n" + securityYAML
	}
	if err := os.WriteFile(filepath.Join(config, "opensearch.yml"), []byte(yaml), 0o644); err != nil {
		return err
	}
	if n.credential == nil {
		return nil
	}
	for _, folder := range []string{n.folder, n.data} {
		err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chown(path, int(n.credential.Uid), int(n.credential.Gid))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) yaml(nodes []*Node) string {
	lines := []string{
		"cluster.name: facesearch-test",
		"node.name: " + n.Name,
		"path.data: " + n.DataFolder(),
		"path.logs: " + n.logs(),
		"network.host: 127.0.0.1",
		fmt.Sprint("http.port: ", n.http),
		fmt.Sprint("transport.port: ", n.transport),
		"cluster.routing.allocation.disk.threshold_enabled: false",
		"path.repo: " + n.SnapshotFolder(),
	}
	if len(nodes) == 1 {
		return strings.Join(append(lines, "discovery.type: single-node"), "\n")
	}
	lines = append(lines, "discovery.seed_hosts:")
	for _, node := range nodes {
		lines = append(lines, fmt.Sprint("  - 127.0.0.1:", node.transport))
	}
	lines = append(lines, "cluster.initial_cluster_manager_nodes:")
	for _, node := range nodes {
		lines = append(lines, "  - "+node.Name)
	}
	return strings.Join(lines, "\n")
}

// DataFolder is where the node keeps its files.
func (n *Node) DataFolder() string { return n.data }

// SnapshotFolder is where the node may keep snapshots.
func (n *Node) SnapshotFolder() string { return filepath.Join(n.folder, "snapshots") }

func (n *Node) logs() string { return filepath.Join(n.folder, "logs") }

// Start starts the process, for the first time or again, and does not wait for it.
func (n *Node) Start() error {
	output, err := os.OpenFile(filepath.Join(n.folder, "output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer output.Close()
	n.process = exec.Command(filepath.Join(n.home, "bin", "opensearch"))
	n.process.Dir = n.home
	n.process.Env = append(os.Environ(),
		"OPENSEARCH_PATH_CONF="+filepath.Join(n.folder, "config"), "OPENSEARCH_TMPDIR="+filepath.Join(n.folder, "tmp"),
		"OPENSEARCH_JAVA_OPTS="+n.java, "HOME="+n.folder)
	n.process.Stdout, n.process.Stderr = output, output
	n.process.SysProcAttr = &syscall.SysProcAttr{Credential: n.credential, Pdeathsig: syscall.SIGKILL}
	if err := n.process.Start(); err != nil {
		return err
	}
	n.ended = make(chan struct{})
	go func(process *exec.Cmd, ended chan struct{}) {
		_ = process.Wait() // it is ended by a signal
		close(ended)
	}(n.process, n.ended)
	return nil
}

// Await waits until every node answers and sees all others.
func (c *Cluster) Await() error {
	deadline := time.Now().Add(startMax)
	for _, node := range c.Nodes {
		path := fmt.Sprintf("/_cluster/health?wait_for_nodes=%d&timeout=5s", len(c.Nodes))
		for node.security.get(node.URL+path) != nil {
			if err := node.alive(); err != nil {
				return err
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s does not answer: %s", node.Name, node.lastWords())
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	return nil
}

// Get asks for a state of the cluster, and returns an error when it was not reached in the time
// that the request gives.
func Get(url string) error { return (*Security)(nil).get(url) }

func (s *Security) get(url string) error {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := s.Do(request, startMax)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || !strings.Contains(string(data), `"timed_out":false`) {
		return fmt.Errorf("%s: %s", response.Status, data)
	}
	return nil
}

func (n *Node) alive() error {
	select {
	case <-n.ended:
		return fmt.Errorf("%s ended: %s", n.Name, n.lastWords())
	default:
		return nil
	}
}

// lastWordsBytes is how much of a node's output is worth showing.
const lastWordsBytes = 4000

func (n *Node) lastWords() string {
	data, err := os.ReadFile(filepath.Join(n.folder, "output"))
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-lastWordsBytes):])
}

// Signal sends the process a signal: SIGSTOP and SIGCONT suspend it and let it go on.
func (n *Node) Signal(signal syscall.Signal) error { return n.process.Process.Signal(signal) }

// Kill ends the process as a power failure would, and waits until it is gone.
func (n *Node) Kill() error {
	err := n.process.Process.Kill()
	<-n.ended
	return err
}

// URLs are the addresses of all nodes.
func (c *Cluster) URLs() (urls []string) {
	for _, node := range c.Nodes {
		urls = append(urls, node.URL)
	}
	return urls
}

// Close ends all nodes and removes their folders.
func (c *Cluster) Close() error {
	var failures []error
	for _, node := range c.Nodes {
		if node.ended == nil || node.alive() != nil {
			continue
		}
		failures = append(failures, node.Kill())
	}
	return errors.Join(append(failures, os.RemoveAll(c.folder), os.RemoveAll(c.data))...)
}
