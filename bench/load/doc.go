// Package load makes webhooks as Sendbird sends them, and posts them: in a closed loop
// over so many connections, for throughput, or in an open loop at a given rate, for
// latency, where the clock starts at the planned time. It allocates next to nothing, as
// it shares the cores with what it measures.
package load
