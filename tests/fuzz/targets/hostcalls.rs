//! Every function of the host, called with whatever the input says: by a guest below all types (`raw`), with some rights.
//!
//! Four bytes, then two scripts: the rights, what the two processes are, how long the first script is, and what is sent to
//! them. Whatever they do, they end or wait, nobody else notices, and nothing is left of them.

#![no_main]

use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use skep_fuzz::host::{self, Compiled};
use skep_fuzz::raw;
use skep_runtime::Module;
use skep_runtime::kernel::Body;
use skep_runtime::spec::{Grants, Keep, ModuleSpec};

/// How long a message is waited for that may never be answered.
const MOMENT: Duration = Duration::from_millis(5);

struct Guests {
    server: Module,
    task: Module,
    counter: Module,
}

fn guests() -> &'static Guests {
    static GUESTS: OnceLock<Guests> = OnceLock::new();
    GUESTS.get_or_init(|| Guests {
        server: host::host().load("server", &raw::module(raw::Kind::Server)),
        task: host::host().load("task", &raw::module(raw::Kind::Task)),
        counter: host::host().load("counter", &skep_tests::guests::bytes("counter")),
    })
}

fn modules(grants: &Grants) -> Vec<ModuleSpec> {
    let Guests { server, task, counter } = guests();
    [("server", server), ("task", task), ("counter", counter)]
        .map(|(name, module)| host::module(name, module, grants))
        .into()
}

// Guests are built and compiled before the time of an input counts.
fuzz_target!(init: { host::make(Compiled::Kept); guests(); }, |data: &[u8]| {
    let Some((&[rights, kinds, share, sends], scripts)) = data.split_first_chunk::<4>() else { return };
    let host = host::host();
    let grants = host::grants(rights, host);
    let mut session = host.begin(host::app(modules(&grants)));
    let (first, second) = scripts.split_at(scripts.len() * usize::from(share) / 256);
    host.wait(async {
        let mut pids = Vec::new();
        for (number, script) in [first, second].into_iter().enumerate() {
            let module = if kinds & (1 << number) == 0 { "server" } else { "task" };
            let keep = if kinds & (4 << number) == 0 { Keep::WhileItFits } else { Keep::Never };
            let process = host::process(module, script.to_vec(), &grants, keep);
            let process = if kinds & 16 == 0 { process.named(["first", "second"][number]) } else { process };
            pids.extend(session.client.spawn(process).await.ok());
        }
        for number in 0..u32::from(sends & 7) {
            let Some(pid) = pids.get((sends >> 3 >> number) as usize & 1).or(pids.first()).copied() else { break };
            let body = Body::Text(format!("message {number}"));
            match (sends ^ kinds.rotate_right(number)) & 3 {
                0 => session.client.send(pid, body),
                1 => session.client.cast(pid, body),
                _ => drop(session.client.call(pid, body, Some(MOMENT)).await),
            }
        }
    });
    session.end();
});
