//go:build linux && (amd64 || arm64)

package slowsync

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// From linux/seccomp.h.
const (
	setModeFilter = 1
	flagListener  = 1 << 3
	flagKillable  = 1 << 5 // Linux 5.19: a signal does not interrupt the wait
	retNotify     = 0x7fc00000
	retAllow      = 0x7fff0000
	notifyRecv    = 0xc0502100
	notifySend    = 0xc0182101
	respContinue  = 1
)

// notification is struct seccomp_notif.
type notification struct {
	id    uint64
	pid   uint32
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

// Exec replaces this process by argv, of which every fsync and fdatasync begins so much
// later. A process beside it, this program called with the arguments supervise, does
// the delaying; it must call Supervise, and ends when argv's last process does.
func Exec(delay time.Duration, supervise, argv []string) error {
	runtime.LockOSThread()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, append(supervise, strconv.FormatInt(delay.Microseconds(), 10))...)
	cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(pair[1]), "socket")}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	fd, err := filter()
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(pair[0], []byte{1}, unix.UnixRights(fd), nil, 0); err != nil {
		return err
	}
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	return unix.Exec(program, argv, os.Environ())
}

// filter has the calling thread's fsync and fdatasync wait for whoever has the file
// descriptor that it gives.
func filter() (int, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	prog := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the system call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 2, K: unix.SYS_FSYNC},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: unix.SYS_FDATASYNC},
		{Code: unix.BPF_RET | unix.BPF_K, K: retAllow},
		{Code: unix.BPF_RET | unix.BPF_K, K: retNotify},
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, setModeFilter, flagListener|flagKillable, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return 0, fmt.Errorf("seccomp: %w", errno)
	}
	return int(fd), nil
}

// Supervise delays the calls of the process that Exec made. word is the last argument
// that this process was given.
func Supervise(ctx context.Context, word string) error {
	micros, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return err
	}
	buf, oob := make([]byte, 1), make([]byte, 64)
	_, n, _, _, err := unix.Recvmsg(3, buf, oob, 0)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) == 0 {
		return errors.Join(err, errors.New("slowsync: no file descriptor came"))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		// Nobody left: POLLHUP.
		poll := []unix.PollFd{{Fd: int32(fds[0]), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err != nil && err != unix.EINTR {
			return err
		}
		if poll[0].Revents&unix.POLLHUP != 0 {
			return nil
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			continue
		}
		var got notification
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fds[0]), notifyRecv, uintptr(unsafe.Pointer(&got))); errno != 0 {
			continue // it ended meanwhile
		}
		time.AfterFunc(time.Duration(micros)*time.Microsecond, func() {
			resp := response{id: got.id, flags: respContinue}
			_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fds[0]), notifySend, uintptr(unsafe.Pointer(&resp)))
		})
	}
	return ctx.Err()
}
