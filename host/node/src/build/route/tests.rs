//! Every kind of machine, and where it leads.

use std::path::PathBuf;

use super::*;

fn rustup(kind: &str) -> Rustup {
    let toolchain = "stable".to_owned();
    match kind {
        "ready" => Rustup::Ready { toolchain },
        "failed" => Rustup::FailedLately { toolchain },
        "unmanaged" => Rustup::Unmanaged,
        _ => Rustup::Absent,
    }
}

fn debian(kind: &str) -> Debian {
    match kind {
        "complete" => Debian::Missing(Vec::new()),
        "missing" => Debian::Missing(vec!["rustc-web".to_owned()]),
        _ => Debian::Absent,
    }
}

fn routes(has_target: bool, rustup_is: &str, debian_is: &str, forced: Option<Route>) -> Vec<Route> {
    let machine = Toolchain {
        sysroot: Some(PathBuf::from("/toolchains/stable")),
        has_target,
        rustup: rustup(rustup_is),
        debian: debian(debian_is),
    };
    let (steps, closed) = plan(&machine, forced);
    assert!(!steps.is_empty() || !closed.is_empty(), "a dead end says why");
    steps.iter().map(Step::route).collect()
}

#[test]
fn each_machine_tries_what_it_has_in_order() {
    use Route::{Debian, Installed, Rustup};
    let table: [(bool, &str, &str, &[Route]); 15] = [
        (true, "ready", "complete", &[Installed]),
        (true, "absent", "absent", &[Installed]),
        (true, "failed", "missing", &[Installed]),
        (false, "ready", "complete", &[Rustup, Debian]),
        (false, "ready", "missing", &[Rustup, Debian]),
        (false, "ready", "absent", &[Rustup]),
        (false, "failed", "complete", &[Debian]),
        // Worth another try before packages are installed.
        (false, "failed", "missing", &[Rustup, Debian]),
        (false, "failed", "absent", &[Rustup]),
        (false, "unmanaged", "complete", &[Debian]),
        (false, "unmanaged", "missing", &[Debian]),
        (false, "unmanaged", "absent", &[]),
        (false, "absent", "complete", &[Debian]),
        (false, "absent", "missing", &[Debian]),
        (false, "absent", "absent", &[]),
    ];
    for (has_target, rustup, debian, expected) in table {
        assert_eq!(routes(has_target, rustup, debian, None), expected, "{has_target} {rustup} {debian}");
    }
}

#[test]
fn a_forced_route_is_the_only_one() {
    for has_target in [true, false] {
        for rustup in ["ready", "failed", "unmanaged", "absent"] {
            for debian in ["complete", "missing", "absent"] {
                for forced in Route::ALL {
                    let open = match forced {
                        Route::Installed => has_target,
                        Route::Rustup => matches!(rustup, "ready" | "failed"),
                        Route::Debian => debian != "absent",
                    };
                    let expected: &[Route] = if open { &[forced] } else { &[] };
                    let found = routes(has_target, rustup, debian, Some(forced));
                    assert_eq!(found, expected, "{has_target} {rustup} {debian} {forced}");
                }
            }
        }
    }
}

#[test]
fn the_variable_names_a_route_or_none() {
    for route in Route::ALL {
        assert_eq!(Route::from_name(route.name()).expect("its own name"), Some(route));
    }
    assert_eq!(Route::from_name("").expect("unset"), None);
    let error = Route::from_name("nix").expect_err("no route").to_string();
    assert!(error.contains("`nix`") && error.contains("`debian`"), "{error}");
}
