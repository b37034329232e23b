package archtest

// rule says what the packages that match pkg may import. Patterns name our packages
// below the module's path: "." is the root, "x/*" everything below x but not x
// itself. The first rule that matches a package counts.
type rule struct {
	pkg   string
	ours  []string // our packages that it may import
	tests []string // further ones that its _test.go files may import
	not   []string // packages from elsewhere that it must not import, "x/*" as above
	why   string
}

// sql is every way to speak SQL.
var sql = []string{"database/sql", "database/sql/*", "github.com/jackc/*", "modernc.org/*", "github.com/pressly/*"}

// leaves are what everybody may import. The helpers of tests are not among them.
const leaves = "internal/*"

// testHelpers may be imported by tests only, and by suites for tests.
var testHelpers = []string{"internal/pgtest", "internal/dnstest", "internal/archtest", "store/storetest", "dns/hosttest", "*test"}

// rules are the walls of the house, inside first.
var rules = []rule{
	{
		pkg: ".", not: []string{"*.*/*", "net/http", "database/sql"},
		why: "the root is the vocabulary: standard library only, and it does nothing, so that everybody can import it",
	},
	{
		pkg: "replytext",
		why: "it can be used alone, by programs that have nothing else of ours",
	},
	{
		pkg: "replytext/*", ours: []string{"replytext", "replytext/*"},
		why: "as replytext",
	},
	{
		pkg: "letter",
		why: "it reads strangers' bytes; what it needs to know of the house is nothing",
	},
	{
		pkg: "internal/pgtest",
		why: "a helper of tests must not depend on what is tested",
	},
	{
		pkg: "internal/dnstest",
		why: "a helper of tests must not depend on what is tested",
	},
	{
		pkg: "internal/archtest",
		why: "a helper of tests must not depend on what is tested",
	},
	{
		pkg: leaves, ours: []string{"."}, not: sql,
		why: "leaves are shared by everybody: what they import, everybody imports",
	},
	{
		pkg: "blob", ours: []string{".", leaves}, not: sql,
		why: "files beside the database; knows neither the database nor the rules",
	},
	{
		pkg: "blob/blobtest", ours: []string{"blob", ".", leaves}, not: sql,
		why: "one suite for all places of blobs; imported by tests only",
	},
	{
		pkg: "blob/s3/s3test",
		why: "an object store for tests shares no code with the client, so that one misreading of its API cannot hide on both sides",
	},
	{
		pkg: "blob/*", ours: []string{"blob", ".", leaves}, not: sql,
		why: "a place of blobs knows what a blob is, and nobody who needs one",
	},
	{
		pkg: "keep", ours: []string{"store", "blob", ".", leaves}, not: append([]string{"net/http"}, sql...),
		why: "removes what is past its time; knows neither the rules nor where blobs are",
	},
	{
		pkg: "store/storetest", ours: []string{"store", "store/*", "blob", ".", leaves, "internal/pgtest"},
		why: "one suite for both databases; imported by tests only",
	},
	{
		pkg: "store", ours: []string{".", leaves, "store/*"}, tests: []string{"blob"},
		not: []string{"net/http"},
		why: "memory and lanes: the only package that knows SQL, and no other than that",
	},
	{
		pkg: "store/*", ours: []string{".", leaves},
		why: "parts of the store do not know the whole",
	},
	{
		pkg: "webhook", ours: []string{"store", "blob", ".", leaves}, not: sql,
		why: "HTTP in: records and answers; what it means is decided in relay, later",
	},
	{
		pkg: "relay", ours: []string{"store", "blob", "letter", "replytext", ".", leaves},
		not: append([]string{"net/http"}, sql...),
		why: "the rules know no HTTP, no SQL, no platform and no provider, so that a new one changes nothing here",
	},
	{
		pkg: "relay/*", ours: []string{".", "relay", "relay/*", leaves}, not: append([]string{"net/http"}, sql...),
		why: "as relay",
	},
	{
		pkg: "door", ours: []string{"relay", ".", leaves}, not: sql,
		why: "pages behind signed links: asks the rules, decides and stores nothing itself",
	},
	{
		pkg: "listen", ours: []string{".", leaves}, not: sql,
		why: "how the world connects; what it then asks is others' business",
	},
	{
		pkg: "console", ours: []string{"store", "blob", "replytext", ".", leaves}, not: sql,
		why: "shows and changes what is stored; does not act on messages",
	},
	{
		pkg: "platform/*", ours: []string{".", leaves}, tests: []string{"relay", "webhook", "sandbox/*"}, not: sql,
		why: "a platform is one folder that knows the words and nothing else; its tests hold it to the seams, and to the emulator",
	},
	{
		pkg: "provider/*", ours: []string{".", leaves}, tests: []string{"relay", "webhook", "sandbox/*"}, not: sql,
		why: "a provider is one folder that knows the words and nothing else; its tests hold it to the seams, and to the emulator",
	},
	{
		pkg: "dns/hosttest", ours: []string{"setup", "."}, not: sql,
		why: "one suite for all DNS hosts, which holds them to the seam; imported by tests only",
	},
	{
		pkg: "dns/*", ours: []string{".", leaves}, tests: []string{"setup", "setup/*", "sandbox/*"}, not: sql,
		why: "a DNS host is one folder that knows the words and nothing else",
	},
	{
		pkg: "setup", ours: []string{"setup/*", ".", leaves}, tests: []string{"dns/*", "sandbox/*"}, not: sql,
		why: "the plan speaks to platforms, providers and DNS hosts through seams of its own",
	},
	{
		pkg: "setup/doctor", ours: []string{"setup", "setup/*", ".", leaves}, tests: []string{"dns/*", "sandbox/*"}, not: sql,
		why: "the doctor speaks to platforms, providers and DNS hosts through the seams of setup",
	},
	{
		pkg: "setup/*", ours: []string{".", leaves}, tests: []string{"setup/*"}, not: append([]string{"net/http"}, sql...),
		why: "what reads name servers and records knows nothing of who asks",
	},
	{
		pkg: "sandbox", ours: []string{"sandbox/*"},
		why: "emulators share no code with the clients: one misreading of an API must not hide on both sides",
	},
	{
		pkg: "sandbox/*", ours: []string{"sandbox/*"},
		why: "emulators share no code with the clients: one misreading of an API must not hide on both sides",
	},
	{
		pkg: "cmd/*", ours: []string{".", "*"},
		why: "wiring: the one place that knows everything, the sandbox included",
	},
	{
		pkg: "tests/chaos", ours: []string{"sandbox/*", "internal/pgtest"},
		why: "looks at the gateway from outside: it knows the emulators, and nothing of what it judges",
	},
	{
		pkg: "tests/*", tests: []string{"internal/pgtest"},
		why: "looks at the program from outside only",
	},
	{
		pkg: "deploy",
		why: "files for others' programs, and a test that has these read them",
	},
	{
		pkg: "examples/*", tests: []string{"sandbox", "sandbox/*"},
		why: "stands for somebody else's program: it knows what anybody may import",
	},
	{
		pkg: "bench", ours: []string{".", "*"},
		why: "measures whatever there is; nobody imports it",
	},
	{
		pkg: "bench/*", ours: []string{".", "*"},
		why: "measures whatever there is; nobody imports it",
	},
}

// random lists who may use math/rand/v2 outside tests. math/rand nobody may.
// Everything else takes crypto/rand: what looks like an id today is a secret tomorrow.
var random = []struct{ pkg, why string }{
	{"store", "spreads retries; nothing that it makes is a secret"},
	{"blob/blobtest", "fills blobs, the same on every run"},
	{"sandbox", "the same on every run, by --seed"},
	{"sandbox/*", "the same on every run, by --seed"},
	{"bench", "loads are repeated exactly"},
	{"bench/*", "loads are repeated exactly"},
	{"tests/*", "loads are repeated exactly"},
}

// knowSandbox lists who may have "sandbox" in a name or a text. Everybody else is
// production code, which behaves the same against the emulators: there is no
// "if sandbox" (comments may speak of it).
var knowSandbox = []struct{ pkg, why string }{
	{"cmd/*", "has the command"},
	{"sandbox", "is it"},
	{"sandbox/*", "is it"},
	{"bench", "runs against it"},
	{"bench/*", "runs against it"},
	{"tests/*", "runs against it"},
	{"internal/archtest", "is about it"},
}

// maxLines is the longest file there may be; longer ones have more than one subject.
const maxLines = 600

// longFiles may be longer, with a reason.
var longFiles = map[string]string{}
