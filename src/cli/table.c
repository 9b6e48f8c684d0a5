/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of a user, once: everything that names one is made from here. */
#include "cli/cli_int.h"

#define OPT(name, value, help)                                                                     \
    { name, NULL, value, help, false }
#define OPTS(name, value, help)                                                                    \
    { name, NULL, value, help, true }
#define OPT_OUT(help)                                                                              \
    { "--out", "-o", "DIR", help, false }

const struct cli_opt cli_common[] = {
    OPT("--dir", "DIR", "network folder (default $STRONGROOM_DIR, else ~/.strongroom)"),
    OPT("--network", "FILE", "a network.json somewhere else"),
    OPT("--as", "WHO",
        "who acts: development name, wallet name or address (default: wallet use; the only wallet; "
        "with none, on a development network, alice)"),
    OPT("--keystore", "DIR",
        "folder of wallets and result keys (default $STRONGROOM_KEYSTORE, else "
        "~/.strongroom/keystore)"),
    OPT("--password-file", "FILE", "read the wallet's password from the first line of FILE"),
    OPT("--json", NULL, "answer in JSON"),
    OPT("--get", "FIELD", "of the answer in JSON, print this field alone: address, task"),
    {"--quiet", "-q", NULL, "no progress on stderr", false},
    {"--help", "-h", NULL, "explain the command", false},
};
const size_t cli_n_common = SR_ARRAY_LEN(cli_common);

static const struct cli_opt o_name[] = {OPT("--name", "NAME", "a name to find the wallet by")};
static const struct cli_opt o_import[] = {
    OPT("--name", "NAME", "a name to find the wallet by"),
    OPT("--key-file", "FILE",
        "private key in hex, or a V3 keystore; - is standard input (else asked for)"),
};
static const struct cli_opt o_export[] = {
    {"--out", "-o", "FILE", "write the key to FILE (mode 0600) instead of standard output", false},
    OPT("--force", NULL, "write over FILE if it exists"),
};
static const struct cli_opt o_protect[] = {
    OPT("--name", "NAME", "public name of the protected data, on the chain"),
    OPT("--json", "TEXT",
        "protect this JSON object (TEXT begins with {; - reads it from standard input)"),
    OPT("--object", "FILE", "protect the JSON object in FILE; - is standard input"),
    OPT("--each", NULL, "make one protected data of each PATH, named by it"),
    OPT("--key-out", "FILE", "also write the key to a new FILE (mode 0600)"),
    OPT("--key-file", "FILE", "use the key in FILE (32 bytes in base64) instead of a new one"),
    OPT("--upload-url", "URL",
        "store it with this IPFS node or pinning service (Kubo's RPC), not with the network's "
        "store"),
    OPT("--upload-auth", "FILE",
        "FILE has the Authorization header for it, as: Bearer TOKEN; - is standard input"),
};
static const struct cli_opt o_key[] = {
    OPT("--key-file", "FILE", "its key, as data protect --key-out wrote it; - is standard input")};
static const struct cli_opt o_open[] = {
    OPT("--key-file", "FILE", "its key, as data protect --key-out wrote it; - is standard input"),
    OPT_OUT("folder for its files (default ./data-ADDR)"),
};
static const struct cli_opt o_grant[] = {
    OPT("--app", "APP",
        "the app that may use it: address, name (of its whitelist, if any), or any"),
    OPT("--user", "WHO", "who may run it: address, name, or any"),
    OPT("--price", "NRLC", "price of one access (default 0)"),
    OPT("--count", "N", "number of accesses (default 1; unlimited)"),
    OPT("--bulk", NULL, "may be used with other data in one task: free, unlimited"),
};
static const struct cli_opt o_revoke[] = {
    OPT("--app", "APP", "only grants to this app"),
    OPT("--user", "WHO", "only grants to this user"),
    OPT("--all", NULL, "of all data that one owns"),
};
static const struct cli_opt o_grants[] = {
    OPT("--app", "APP", "only grants to this app"),
    OPT("--user", "WHO", "only grants to this user"),
};
static const struct cli_opt o_received[] = {OPT("--only-me", NULL, "without grants to anybody")};
static const struct cli_opt o_find[] = {
    OPT("--owner", "WHO", "of this owner"),
    OPT("--name", "TEXT", "with this in its name"),
    OPTS("--schema", "PATH:TYPE", "has this leaf, like file:application/pdf or email:string"),
    OPT("--after", "DATE", "created at or after, like 2026-01-31"),
    OPT("--before", "DATE", "created before"),
};
static const struct cli_opt o_list[] = {OPT("--owner", "WHO", "of somebody else")};
static const struct cli_opt o_deploy[] = {
    OPT("--no-publish", NULL, "register the app, but publish no order for it"),
    OPT("--from-image", "IMAGE",
        "deploy docker://HOST/NAME:TAG, oci-archive:FILE or oci:DIR instead of a folder (skopeo)"),
    OPT("--name", "NAME", "with --from-image: the app's name"),
    OPTS("--egress", "HOST:PORT", "the app may talk to this host; instead of app.json's list"),
    OPTS("--env", "NAME=VALUE", "a variable of the app, public; over app.json's"),
};
static const struct cli_opt o_app_name[] = {
    OPT("--whitelist", "LIST", "the whitelist that its users grant access to"),
};
static const struct cli_opt o_init[] = {
    OPT("--language", "LANG", "python (default), javascript or c"),
    OPT("--data", "HOW", "protected data: none, one (default) or bulk"),
    OPT("--no-args", NULL, "without arguments"),
    OPT("--input-files", NULL, "with public input files"),
    OPT("--requester-secrets", NULL, "with secrets of who runs it"),
    OPT("--app-secret", NULL, "with a secret of its developer"),
    OPT("--ask", NULL, "ask for all of it"),
};
static const struct cli_opt o_test[] = {
    OPT("--args", "TEXT", "arguments of the app"),
    OPTS("--data", "NAME", "protected data: a name below mock/protectedData, or a file"),
    OPTS("--input-file", "FILE", "public input file"),
    OPTS("--secret", "N=FILE", "secret number N of the requester, read from FILE"),
    OPT("--app-secret", "FILE", "the developer's secret"),
    OPT("--callback", NULL, "the result is for a contract: computed.json's callback-data"),
    OPT("--egress-loopback", "NAMES", "hosts of its egress list that lead to this machine"),
};
static const struct cli_opt o_mock[] = {
    OPT("--object", "FILE", "the JSON object; - is standard input"),
};
static const struct cli_opt o_build[] = {
    {"--out", "-o", "FILE", "the image, an OCI archive (default cache/image.oci.tar)", false}};
static const struct cli_opt o_debug[] = {
    OPT("--logs", NULL, "fail when what the app printed is not to be had")};
static const struct cli_opt o_app_secret[] = {
    OPT("--secret-file", "FILE", "the secret's text; - is standard input (else asked for)")};
static const struct cli_opt o_run[] = {
    OPTS("--data", "ADDR", "protected data to run on"),
    OPT("--args", "TEXT", "arguments of the app; public, they are on the chain"),
    OPTS("--secret", "N=FILE", "secret number N of the requester, read from FILE"),
    OPTS("--input-file", "URL", "public input file"),
    OPT("--max-app-price", "NRLC", "refuse to pay more for the app (default 0)"),
    OPT("--max-data-price", "NRLC", "refuse to pay more for the data (default 0)"),
    OPT("--max-pool-price", "NRLC", "refuse to pay more for the workerpool (default 0)"),
    OPT("--workerpool", "ADDR", "a workerpool (default: the network's)"),
    OPT("--beneficiary", "WHO", "who can decrypt the result (default: who acts)"),
    OPT("--plain-result", NULL, "do not encrypt the result: anybody can read it"),
    OPT("--max-price", "NRLC",
        "for each of app, data and workerpool that has no maximum of its own"),
    OPT("--callback", "ADDR", "contract that gets the result on the chain, instead of a file"),
    OPT("--category", "N", "how long the app may take (default 0; strongroom category list)"),
    OPT_OUT("folder for the result (default ./result-TASK)"), /* from here on: not of can-run */
    OPT("--no-wait", NULL, "return as soon as the deal is made"),
    OPT("--bulk", NULL, "many --data in one request, each granted for bulk; results in DIR/0, ..."),
    OPT("--per-task", "N", "with --bulk: data sets of one task (default and most: 100)"),
};
static const struct cli_opt o_result[] = {OPT_OUT("folder for the result (default ./result-TASK)")};

static const struct cli_opt o_terms[] = {
    OPT("--price", "NRLC", "price (default 0)"),
    OPT("--duration", "TIME", "for how long, like 1h, 30m, 7d or 90s"),
};
static const struct cli_opt o_offer[] = {
    OPT("--price", "NRLC", "price of a subscription (default 0)"),
    OPT("--duration", "TIME", "how long a subscription lasts, like 1h, 30m, 7d or 90s"),
    OPT("--stop", NULL, "no new subscriptions"),
};
static const struct cli_opt o_share_add[] = {
    OPT("--whitelist", "LIST", "the apps that may use it; the wallet's own, when it has just one")};
static const struct cli_opt o_price[] = {OPT("--price", "NRLC", "price")};
static const struct cli_opt o_max_price[] = {
    OPT("--max-price", "NRLC", "refuse to pay more (default 0)")};
static const struct cli_opt o_buy[] = {
    OPT("--max-price", "NRLC", "refuse to pay more (default 0)"),
    OPT("--for", "WHO", "who owns it then (default: who acts)"),
};
static const struct cli_opt o_use[] = {
    OPT("--app", "APP", "an app of its whitelist (default: the last one added)"),
    OPT("--workerpool", "ADDR", "a workerpool (default: the network's)"),
    OPT_OUT("folder for the result (default ./result-TASK)"),
    OPT("--no-wait", NULL, "return as soon as the deal is made"),
};
static const struct cli_opt o_share_list[] = {OPT("--owner", "WHO", "only of this owner")};

static const struct cli_opt o_attest_verify[] = {
    OPT("--kind", "KIND", "dcap (SGX, TDX), snp, nitro or ccel (event log)"),
    OPT("--time", "TIME", "verify as of this moment, like 2026-01-31T12:00:00Z (default: now)"),
    OPT("--quote", "FILE", "dcap: the quote; ccel: whose registers the log must lead to"),
    OPT("--collateral", "FILE", "dcap: JSON of the signed TCB info, QE identity and CRLs"),
    OPT("--root", "FILE", "dcap, nitro: trust this root (DER) instead of the pinned one"),
    OPT("--report", "FILE", "snp: the report"),
    OPT("--ek", "FILE", "snp: VCEK or VLEK certificate (DER)"),
    OPT("--ask", "FILE", "snp: ASK or ASVK certificate (DER)"),
    OPT("--ark", "FILE", "snp: the root that is trusted (DER)"),
    OPT("--crl", "FILE", "snp: revocations of that root (DER)"),
    OPT("--doc", "FILE", "nitro: the attestation document"),
    OPT("--log", "FILE", "ccel: the event log, binary or a guest's JSON"),
    OPT("--policy", "FILE", "also judge by this JSON policy, and list every clause"),
    OPT("--text", NULL, "answer for people instead of in JSON"),
};
static const struct cli_opt o_attest_collateral[] = {
    OPT("--quote", "FILE", "a quote of the platform"),
    {"--out", "-o", "FILE", "where the collateral is kept", false},
    OPT("--service", "URL", "a mirror (PCCS) to ask (default: Intel's service)"),
    OPT("--root", "FILE", "trust this root (DER) instead of the pinned one"),
};
static const struct cli_opt o_task_evidence[] = {
    {"--out", "-o", "FILE", "the bundle; TASK.bundle.json otherwise", false},
    {"--policy", NULL, "FILE", "judge the evidence by this policy", false},
};
static const struct cli_opt o_verify[] = {
    OPT("--hub", "ADDR", "refuse a bundle of another hub"),
    OPT("--sms-identity", "ADDR", "refuse a bundle of another secret service"),
};
static const struct cli_opt o_attest_measure[] = {
    OPT("--kind", "KIND", "tdx, snp or simulated"),
    OPT("--firmware", "FILE", "OVMF image"),
    OPT("--kernel", "FILE", "kernel that is booted directly"),
    OPT("--initrd", "FILE", "its initial file system"),
    OPT("--cmdline", "TEXT", "its command line"),
    OPT("--memory", "SIZE", "tdx: memory of the guest, like 4g"),
    OPT("--acpi", "FILE",
        "tdx: JSON {acpi: [loader, rsdp, tables], boot0000} of digests, for RTMR0"),
    OPT("--vcpus", "N", "virtual CPUs (default 1)"),
    OPT("--machine", "TEXT", "QEMU's machine, for the image id (default q35)"),
    OPT("--qemu", "VERSION", "QEMU's version, for the image id"),
    OPT("--verity-root", "HEX", "dm-verity root hash of the app, for the image id"),
    OPT("--cpu", "NAME", "snp: EPYC-v4 (default), EPYC-Milan, EPYC-Genoa, EPYC-Turin"),
    OPT("--features", "N", "snp: SEV_FEATURES (default 1)"),
    OPT("--vmm", "NAME", "snp: qemu (default), ec2 or gce"),
    OPT("--room", "FILE", "simulated: the room program"),
};

static const struct cli_opt o_contracts_deploy[] = {
    OPT("--rpc", "URL", "node of the chain"),
    OPT("--key", "FILE",
        "who pays and owns: private key in hex, or a V3 keystore; - is standard input"),
    {"--out", "-o", "FILE", "where the addresses go (default ./contracts-CHAIN.json)", false},
    OPT("--rlc", "ADDR", "an RLC that is there already (default: ours is deployed)"),
    OPT("--max-fee", "GWEI", "never offer more for a unit of gas (default 100)"),
    OPT("--recipe", "FILE", "the built contracts (default: deploy.json beside this program)"),
    OPT("--yes", NULL, "do not ask for the chain's number first"),
};
static const struct cli_opt o_contracts_verify[] = {
    OPT("--rpc", "URL", "node of the chain"),
    OPT("--file", "FILE", "the addresses, as contracts deploy wrote them"),
    OPT("--recipe", "FILE", "the built contracts (default: deploy.json beside this program)"),
};

#define N(a) (a), SR_ARRAY_LEN(a)
#define NONE NULL, 0

#include "cli/table_mail.h"
#include "cli/table_orders.h"
#include "cli/table_trade.h"

const struct cli_cmd cli_commands[] = {
    {"wallet new", "", 0, 0, "make a new wallet in the keystore",
     "An Ethereum V3 keystore file (scrypt), encrypted under a password that is asked for twice or "
     "read from\n"
     "--password-file.",
     N(o_name), cmd_wallet_new},
    {"wallet import", "", 0, 0, "add an existing private key or V3 keystore",
     "The key is read from --key-file, from standard input (-), or asked for without echo; never "
     "from the\n"
     "command line.",
     N(o_import), cmd_wallet_import},
    {"wallet list", "", 0, 0, "list wallets and development accounts", "", NONE, cmd_wallet_list},
    {"wallet show", "[WHO]", 0, 1, "show the acting wallet, or WHO", "", NONE, cmd_wallet_show},
    {"wallet use", "WHO", 1, 1, "set who acts when --as is not given", "", NONE, cmd_wallet_use},
    {"wallet export", "[WHO]", 0, 1, "show the private key, after the password", "", N(o_export),
     cmd_wallet_export},
    {"account show", "[WHO]", 0, 1, "RLC staked in the hub, RLC and gas in the wallet", "", NONE,
     cmd_account_show},
    {"account deposit", "AMOUNT", 1, 1, "stake RLC in the hub: 1000, \"1000 nRLC\", \"1.5 RLC\"",
     "", NONE, cmd_account_deposit},
    {"account withdraw", "AMOUNT", 1, 1, "take RLC back out of the hub", "", NONE,
     cmd_account_withdraw},
    {"faucet", "WHO", 1, 1, "development network only: gas and RLC for WHO", "", NONE, cmd_faucet},
    {"data protect", "[PATH...]", 0, SR_MAX_FILES,
     "encrypt, store and register data; hand its key to the vault",
     "One file (or standard input: -) becomes the key \"file\"; the files of a folder take their "
     "paths "
     "below it,\n"
     "several files their base names, in which other characters "
     "than letters,\n"
     "digits, - and _ become _ (two files of one key are an error). A JSON object is typed as the "
     "JavaScript SDK\n"
     "types it: --json TEXT, where TEXT begins with {, or --object FILE. A TEXT on the command "
     "line can be seen by\n"
     "other users of this machine while the command starts; --json - reads it from standard input. "
     "A second --json\n"
     "without a text asks for JSON output, as everywhere. Prints address, CID and checksum.\n"
     "An upload of files that was interrupted goes on where it stopped when the same command is "
     "given again, while\n"
     "the store keeps it (ten minutes).",
     N(o_protect), cmd_data_protect},
    {"data push-key", "ADDR", 1, 1, "hand the key of data over to the secret service",
     "When that failed while it was protected, and --key-out kept the key.", N(o_key),
     cmd_data_push_key},
    {"data open", "ADDR", 1, 1, "open protected data here, with its key",
     "Whoever protected it with --key-out (or the JavaScript SDK) has the key.", N(o_open),
     cmd_data_open},
    {"data grant", "ADDR", 1, 1, "let an app and a user use protected data", "", N(o_grant),
     cmd_data_grant},
    {"data revoke", "[ADDR]", 0, 1, "close grants, on the chain",
     "Without --app and --user, all open grants of the data; --all instead of ADDR: of all data. "
     "Deals already made are not undone, "
     "but the key is\n"
     "not released any more.",
     N(o_revoke), cmd_data_revoke},
    {"data grants", "[ADDR]", 0, 1, "open grants that one gave, for one data set or for all", "",
     N(o_grants), cmd_data_grants},
    {"data received", "[WHO]", 0, 1, "open grants that one may use", "", N(o_received),
     cmd_data_received},
    {"data usage", "ADDR", 1, 1, "who used protected data: each task, by whom, app, price, outcome",
     "From the deals on the chain and the secret service's log, which also has refusals.", NONE,
     cmd_data_usage},
    {"data transfer", "ADDR WHO", 2, 2, "give protected data to another owner, with its key",
     "Grants of the old owner end with it.", NONE, cmd_data_transfer},
    {"data find", "", 0, 0, "find protected data of anybody, newest first", "", N(o_find),
     cmd_data_find},
    {"group create", "[WHO...]", 0, 200, "make a group of apps or users that a grant can name",
     "data grant --app GROUP or --user GROUP lets every member in; its maker changes who is one.",
     NONE, cmd_group_create},
    {"group add", "GROUP WHO...", 2, 200, "let apps or users in", "", NONE, cmd_group_add},
    {"group remove", "GROUP WHO...", 2, 200, "let apps or users out", "", NONE, cmd_group_remove},
    {"group has", "GROUP WHO", 2, 2, "is it a member? Exit code 1: no", "", NONE, cmd_group_has},
    {"data list", "", 0, 0, "list one's protected data", "", N(o_list), cmd_data_list},
    {"data show", "ADDR", 1, 1, "owner, place, checksum, schema and open grants", "", NONE,
     cmd_data_show},
    {"app init", "[NAME]", 0, 1, "make the folder of a new app",
     "Sources in Python, JavaScript or C with just the features that are asked for, mocks for app "
     "test, and an\n"
     "app.json. Without options: arguments and one protected data. On a terminal without NAME, or "
     "with --ask, it\nasks.",
     N(o_init), cmd_app_init},
    {"app test", "[DIR]", 0, 1, "run an app in a real room on this machine",
     "Builds it, starts a room (SIMULATED evidence), gives it protected mocks, secrets and files, "
     "and says what is\n"
     "wrong with its output. Without options, with what app.json's \"test\" names. The result goes "
     "to output/.",
     N(o_test), cmd_app_test},
    {"app mock", "[NAME]", 0, 1, "make protected data for app test",
     "Of a JSON object, typed as data protect types it, into mock/protectedData/NAME (default).",
     N(o_mock), cmd_app_mock},
    {"app build", "[DIR]", 0, 1, "pack an app as an OCI image, without a container engine",
     "Runs app.json's build command first. base (\"python\", \"node\", or Debian packages) takes "
     "the files of this\n"
     "machine's installed packages, packages those of Debian's archive (mmdebstrap). The "
     "measurement is the "
     "manifest's SHA-256: what the chain holds.",
     N(o_build), cmd_app_build},
    {"app deploy", "[DIR]", 0, 1, "pack a folder as an OCI image, store and register it",
     "DIR (default: here) holds app.json {name, entrypoint, files, egress} and the files. "
     "Publishes a free, "
     "unlimited app order\n"
     "unless --no-publish. Says which hosts the app may talk to.",
     N(o_deploy), cmd_app_deploy},
    {"app run", "APP", 1, 1, "run an app: it is the command run", "", N(o_run), cmd_run},
    {"app debug", "TASK", 1, 1,
     "a task's steps and times, its cause, what to do, and what the app printed",
     "Also what it tried on the network. What it printed may hold anything that it saw: the "
     "scheduler "
     "gives it\n"
     "to the requester alone, for a signature.",
     N(o_debug), cmd_debug},
    {"app secret set", "APP", 1, 1, "give an app its developer's secret",
     "Sealed to the vault, which seals it to the rooms of this app alone "
     "(IEXEC_APP_DEVELOPER_SECRET). "
     "By the app's\n"
     "owner, once: it cannot be changed. APP: an address, a name, or a project's folder.",
     N(o_app_secret), cmd_app_secret_set},
    {"app show", "APP", 1, 1, "owner, image, checksum", "", NONE, cmd_app_show},
    {"app name", "NAME APP", 2, 2, "give an app a name on this network",
     "In network.json, and in apps.json beside it, from which strongroom up and the market's "
     "compass\nlearn it.",
     N(o_app_name), cmd_app_name},
    {"run", "APP", 1, 1, "run an app, wait, and decrypt the result",
     "APP is an address, a name, or a project's folder (.): what was deployed from it last. "
     "Checks that the run can succeed before any money moves. The result is encrypted for the "
     "beneficiary's\n"
     "RSA-4096 key, which is made on the first run and kept in the keystore folder.",
     N(o_run), cmd_run},
    {"can-run", "APP", 1, 1, "make every check of a run, and name all that is in its way",
     "Nothing is paid or stored. Balances, stakes, orders, prices, tags, restrictions, signatures, "
     "app "
     "image, data\n"
     "and its key, result key, gas, services, scheduler and workers. Exit code 3 when something is "
     "in "
     "the way.",
     o_run, SR_ARRAY_LEN(o_run) - 4, cmd_can_run},
    CLI_ORDER_COMMANDS{"deal show", "ID", 1, 1, "what was agreed", "", NONE, cmd_deal_show},
    {"task show", "ID", 1, 1, "how a task stands, and why it failed", "", NONE, cmd_task_show},
    {"task wait", "ID", 1, 1, "wait for the end of a task", "", NONE, cmd_task_wait},
    CLI_TRADE_COMMANDS CLI_MAIL_COMMANDS{"result", "TASK", 1, 1,
                                         "download, decrypt and unpack the result of a task", "",
                                         N(o_result), cmd_result},
    {"share create", "", 0, 0, "make a collection, in which data is shared", "", NONE,
     cmd_share_create},
    {"share close", "ID", 1, 1, "give up an empty collection, for good", "", NONE, cmd_share_close},
    {"share list", "", 0, 0, "all collections, and whose they are", "", N(o_share_list),
     cmd_share_list},
    {"share show", "ID", 1, 1, "a collection, its data and terms, and who has access now", "", NONE,
     cmd_share_show},
    {"share install", "", 0, 0, "the delivery app, ready to share data with",
     "Deploys the app that hands content over to who rented it, gives it to the sharing contract, "
     "and makes a\n"
     "whitelist of it. Done once; later calls show both.",
     NONE, cmd_share_install},
    {"share app", "APP", 1, 1, "hand an app to the sharing contract, for good",
     "Only such apps can be run on shared data. It cannot be taken back.", NONE, cmd_share_app},
    {"share whitelist", "[APP...]", 0, SR_SHARE_MAX_APPS, "make a list of apps that only grows",
     "Who shares data names a whitelist: its apps, and no others, may use the data. Apps can be "
     "added, never\n"
     "taken off. It also serves data grant --app.",
     NONE, cmd_share_whitelist},
    {"share allow", "LIST APP", 2, 2, "add an app to a whitelist", "", NONE, cmd_share_allow},
    {"share add", "ID DATA", 2, 2, "put protected data into a collection",
     "The sharing contract holds it until it is taken out or sold. Its key stays in the secret "
     "service.",
     N(o_share_add), cmd_share_add},
    {"share remove", "DATA", 1, 1, "take data out of its collection",
     "Not while it is rented, or its collection subscribed to.", NONE, cmd_share_remove},
    {"share data", "DATA", 1, 1, "where it is shared, its terms, whitelist and apps", "", NONE,
     cmd_share_data},
    {"share offer", "ID", 1, 1, "subscription to a collection: its price and time", "", N(o_offer),
     cmd_share_offer},
    {"share bundle", "DATA", 1, 1, "make data part of its collection's subscription", "", NONE,
     cmd_share_bundle},
    {"share unbundle", "DATA", 1, 1, "take it out of the subscription", "", NONE,
     cmd_share_unbundle},
    {"share rent-out", "DATA", 1, 1, "offer data for rent", "", N(o_terms), cmd_share_rent_out},
    {"share stop-rent", "DATA", 1, 1, "no new rentals; running ones stay valid", "", NONE,
     cmd_share_stop_rent},
    {"share sell", "DATA", 1, 1, "offer data for sale", "", N(o_price), cmd_share_sell},
    {"share stop-sale", "DATA", 1, 1, "not for sale any more", "", NONE, cmd_share_stop_sale},
    {"share rent", "DATA", 1, 1, "rent data, at the price and for the time that it is offered",
     "The price goes from the account in the hub to the owner's. A second rental begins anew.",
     N(o_max_price), cmd_share_rent},
    {"share subscribe", "ID", 1, 1, "subscribe to a collection", "Not renewed by itself.",
     N(o_max_price), cmd_share_subscribe},
    {"share buy", "DATA", 1, 1, "buy data: who pays owns it", "", N(o_buy), cmd_share_buy},
    {"share use", "DATA", 1, 1, "run an app on data that is rented or subscribed to",
     "Free of charge. The result is encrypted for who acts; no arguments, files or secrets can be "
     "given.",
     N(o_use), cmd_share_use},
    {"share earnings", "[WHO]", 0, 1, "what was paid for shared data, and for which",
     "The RLC is in the account: strongroom account show, and account withdraw takes it out.", NONE,
     cmd_share_earnings},
    {"attest verify", "", 0, 0, "verify hardware evidence, offline",
     "Answers with one JSON object; exit code 0 accepts, 1 rejects. Nothing is fetched: "
     "certificates and\n"
     "collateral are given. Measurements are shown only of what was accepted.",
     N(o_attest_verify), cmd_attest_verify},
    {"attest collateral", "", 0, 0, "fetch the collateral of a platform, check and keep it",
     "TCB info, QE identity and CRLs for the platform that made the quote. What does not verify, "
     "or has a lower\n"
     "evaluation number than FILE, is not kept. Says until when it is good.",
     N(o_attest_collateral), cmd_attest_collateral},
    {"attest measure", "", 0, 0, "predict what hardware measures at launch",
     "TDX: MRTD, and with --memory and --kernel the parts of RTMR0, RTMR1 and RTMR2; where QEMU's\n"
     "version matters, both answers. SNP: the launch digest. simulated: the MRTD of SIMULATED\n"
     "evidence of a room program.",
     N(o_attest_measure), cmd_attest_measure},
    {"task evidence", "TASK", 1, 1, "gather a task's evidence into one file, for anybody to verify",
     "Orders and their signatures, the room's evidence with its collateral, the secret service's "
     "token and\nlog row, the enclave's signature and the settling transaction. The file is "
     "verified before it is written;\nstrongroom verify FILE checks it anywhere, offline.",
     N(o_task_evidence), cmd_task_evidence},
    {"verify", "FILE", 1, 1, "check a task's evidence bundle, offline",
     "Recomputes all that the file claims and names the field that fails. What only the chain "
     "knows is "
     "listed\nas stated: ask the chain.",
     N(o_verify), cmd_verify},
    {"contracts deploy", "", 0, 0, "put our contracts on a chain",
     "Shows chain, payer and cost, and asks for the chain's number. What was sent stands in a "
     "state "
     "file beside\n"
     "--out: after an interruption the same command goes on where it stopped. In the end it "
     "verifies them.",
     N(o_contracts_deploy), cmd_contracts_deploy},
    {"contracts verify", "", 0, 0, "compare deployed contracts with what was built",
     "Code with its immutables, the hub's functions and registries. Names what differs; exit code "
     "1 "
     "when anything does.",
     N(o_contracts_verify), cmd_contracts_verify},
};
const size_t cli_n_commands = SR_ARRAY_LEN(cli_commands);
