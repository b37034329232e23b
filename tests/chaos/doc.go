// Chaos runs the real gateway between the emulated services, spoils their answers,
// kills it again and again, and compares afterwards what was put in with what came out:
//
//	go run ./tests/chaos -database sqlite -seed 1 -kills 200 -for 10m
//	go run ./tests/chaos -database postgres -replicas 3 -seed 1 -kills 200 -for 10m
//
// It looks at the gateway from outside only: at what the emulators hold, at what passes
// between them and it (front.go, tap.go), and at its operator's API. Nothing in the
// gateway knows of it. Exit status 1 means that a promise was broken; the notes of the
// first messages concerned are printed, and everything is left in the folder that -keep
// names.
//
// The seed repeats what is put in, which faults strike when, and when which process is
// to be killed. What meets what at that moment is up to the machine.
//
// Webhooks that the chat gave up or dropped are gone, and so are the e-mail provider's
// events; only mails on their way to us are repeated, as Mailgun does for eight hours. A
// message that is changed within its quiet window has to be mailed as changed.
//
// With -clock wall clocks are set by hours and back, and one replica's is five minutes off
// all the time; with -upgrade a next version with one more migration is rolled out and
// back. Both are made by building the gateway's own source with other files in place of
// some (build.go); -freeze stops processes for longer than their leases.
//
// With -points something else is done. A story in acts, in which everything the house does
// is done once (story.go), is played to find each write and each call in it. Then each act
// is played again for each of them, killed there: before the COMMIT of a write, and after
// it, when nobody was told yet (store/killpoints.go, which only the build for this has);
// before a call, when it is done and not answered, and when it is answered. The judge is
// the same; and an act waits for what it is there for, so that none ends too early.
//
//		go run ./tests/chaos -points all -database sqlite
//		go run ./tests/chaos -points narrow,clock -point 'poster|Clock'
//
//	  - load.go, changes.go: what is put in; faults.go, clocks.go: what spoils it; kill.go: when it is killed
//	  - story.go, operator.go, rare.go: what happens in an act; points.go: where it is killed
//	  - world.go: the emulators; build.go, replica.go: the gateway
//	  - check.go, marks.go: what has to hold; report.go: the table
package main
