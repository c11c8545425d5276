//! The node's API: HTTP and JSON on a socket that only the node's owner reaches; and over TCP, if the node listens there,
//! with TLS and a token for each request.
//!
//! `protocol` says what is sent, `server` answers, `client` asks. Everything that the `skep` command does to a node that
//! runs goes through here, so that a script or a dashboard can do it too:
//!
//! ```text
//! GET  /v1/node                                       name, version, process id, apps
//! GET  /v1/processes                                  every process
//! GET  /v1/tree?app=tally                             one app's tree, or all
//! GET  /v1/inspect?process=store&state_ms=1000        one process from all sides, with its state
//! POST /v1/system {"to", "ask", "state", "reason"}    suspend, resume, state, replace_state, terminate: OTP's `sys`
//! GET  /v1/trace?process=store                        what it handles from now on, a line an event, until it ends
//! POST /v1/call  {"to", "body", "timeout_ms"}         the reply; without a timeout 5 s
//! POST /v1/cast  {"to", "body"}
//! GET  /v1/logs?lines=100&follow=true&process=store   entries, one JSON object a line
//! GET  /v1/modules                                    which code runs where, and which is kept
//! POST /v1/upgrade?module=store&wait_ms=5000          the body is the code; lines of progress, then what came of it
//! POST /v1/rollback?module=store&to=1                 the same, to code that is kept
//! GET  /v1/upgrades                                   what became of the last upgrades
//! POST /v1/plan  {"manifest", "files"}                what deploying would do, after all of it was checked; its `id`
//! POST /v1/deploy {"manifest", "files", "agreed"}     does it, if it is still the plan with the id `agreed`; lines
//! POST /v1/undeploy {"app"}                           stops an app in order and forgets it
//! POST /v1/stop                                       stops every app in order; answers when that is done
//! ```
//!
//! The two that replace code take `extra`, JSON for every migration; an upgrade takes `origin`, which listings show, and
//! `signature`, the text of the file beside the code. `to`
//! of a rollback is a version, or the beginning of a digest; of a message it is a name, `app/name`, or a pid, without its
//! tag if need be. `manifest` is an absolute path, and `files` has the component of each module that comes from a crate,
//! for the node builds nothing. A refusal is a JSON object with `code`, `message`, and often `remedy` and `detail`. Of an
//! upgrade that has begun, it is the last line: `{"refused": {…}}` in place of `{"done": {…}}`. Whoever hangs up before
//! that calls the upgrade off, unless it is being committed: then it ends well. A deployment that has begun is done in any
//! case.
//!
//! Over TCP, the `GET`s need a token of the scope `read`; `system`, `children`, `call`, `cast` and `stop` one of `operate`;
//! the others one of `deploy`. A refusal for want of it has the code `unauthorized` (401), `forbidden` (403) or
//! `too_many_failures` (429). `tls` has how both sides know each other.
//!
//! ```text
//! curl --unix-socket ~/.local/state/skep/nodes/tally/control.sock http://skep/v1/processes
//! curl --cacert node.pem -H "Authorization: Bearer $SKEP_TOKEN" https://tally.example:7777/v1/processes
//! ```

pub mod client;
pub mod protocol;
pub mod server;
#[cfg(test)]
mod tests;
pub mod tls;
