//! Links, monitors and names (LINK, MON, REG).

use super::notation::check;

#[test]
fn link_01_either_side_makes_and_breaks_a_link_and_both_are_told() {
    check(&[
        ("new a init={trap on}; new b init={trap on}", ""),
        ("a: link b", ""),
        ("b: unlink a", ""),
        ("b: link a", ""),
        ("a: stop boom", "a terminates boom, a ends boom, b: exit a boom"),
        ("new c init={trap on}", ""),
        ("b: link c", ""),
        ("b: stop boom", "b terminates boom, b ends boom, c: exit b boom"),
    ]);
}

#[test]
fn link_02_there_is_one_link_a_pair() {
    check(&[
        ("new t init={trap on}; new b; new c; new d", ""),
        ("t: link b, link b, unlink b, link c, link c, link d; d: link t", ""),
        ("kill b; kill c; kill d", "b ends killed, c ends killed, d ends killed, t: exit c killed, t: exit d killed"),
    ]);
}

#[test]
fn link_05_linking_oneself_and_unlinking_a_stranger_do_nothing() {
    check(&[
        ("new t init={trap on}; new b", ""),
        ("t: link t, unlink t, unlink b, say fine", "t says fine"),
        ("kill b; info t still here", "b ends killed, t: info still here"),
    ]);
}

#[test]
fn a_link_beyond_the_limit_of_either_side_is_refused() {
    check(&[
        ("new a links=1; new b; new c", ""),
        ("a: link b, link b, link c", "a = error limit links"),
        ("c: link a, say lives", "c = error limit links of the other process, c says lives"),
        ("a: unlink b, link c", ""),
        ("c: link a", ""),
        ("a: spawn d link, spawn e", "a = error limit links, a = child e"),
    ]);
}

#[test]
fn mon_01_a_monitor_is_one_way_and_tells_once() {
    let world = check(&[
        ("new w; new v; new x", ""),
        ("w: monitor v; x: monitor v", ""),
        ("kill w", "w ends killed"),
        ("info v still here", "v: info still here"),
        ("v: stop boom", "v terminates boom, v ends boom, x: down v boom"),
        ("x: demonitor v", "x = no monitor"),
    ]);
    assert!(world.timers.is_empty());
}

#[test]
fn mon_02_watching_the_dead_or_unknown_brings_noproc() {
    check(&[
        ("new w; new d", ""),
        ("kill d", "d ends killed"),
        ("w: monitor d, say fine", "w says fine, w: down d noproc"),
        ("w: monitor @nobody, say fine", "w says fine, w: down @nobody noproc"),
    ]);
}

#[test]
fn mon_03_monitors_on_one_process_are_independent() {
    check(&[
        ("new w; new v", ""),
        ("v: register n", "v = named"),
        ("w: monitor v, monitor v, monitor @n, monitor @n, demonitor @n", "w = demonitored"),
        ("kill v", "v ends killed, w: down v killed, w: down v killed, w: down @n killed"),
    ]);
}

#[test]
fn mon_01_a_monitor_of_oneself_is_none() {
    check(&[
        ("new w; new v", ""),
        ("w: monitor w, demonitor w, monitor v, demonitor v", "w = no monitor, w = demonitored"),
    ]);
}

#[test]
fn mon_03_a_loss_that_came_already_can_be_flushed() {
    check(&[
        ("new w; new v; new u", ""),
        ("w: monitor v, monitor u", ""),
        (
            "kill v; kill u; w: demonitor u",
            "v ends killed, u ends killed, w = no monitor, w: down v killed, w: down u killed",
        ),
    ]);
    check(&[
        ("new w; new v; new u; new x", ""),
        ("w: monitor v, monitor u", ""),
        ("kill v; kill u", "v ends killed, u ends killed, w: down v killed, w: down u killed"),
        // The loss is in the mailbox already when it is taken back.
        ("x: kill w; w: ", "w ends killed"),
    ]);
    check(&[
        ("new w task init={receive -, receive 0, receive -}; new v", ""),
        ("info w {monitor v, kill v, spin, spin, demonitor v flush}", "v ends killed, w = no monitor, w = nothing"),
        ("info w end", "w: info end, w ends normal"),
    ]);
}

#[test]
fn mon_04_a_monitor_by_name_binds_to_its_holder_of_that_moment() {
    check(&[
        ("new w; new a; new b", ""),
        ("a: register n", "a = named"),
        ("w: monitor @n", ""),
        ("a: unregister n", "a = unnamed"),
        ("b: register n", "b = named"),
        ("kill b", "b ends killed"),
        ("kill a", "a ends killed, w: down @n killed"),
    ]);
}

#[test]
fn mon_06_the_last_messages_come_before_the_loss() {
    check(&[
        ("new w; new v", ""),
        ("w: register w, monitor v; v: register v", "w = named, v = named"),
        ("w: monitor @v", ""),
        (
            "v: send w one, send @w two, cast w three, stop boom",
            "v terminates boom, v ends boom, w: info one, w: info two, w: cast three, w: down v boom, w: down @v boom",
        ),
    ]);
}

#[test]
fn monitors_beyond_the_limit_end_the_process() {
    check(&[
        ("new a monitors=1; new b monitors=1; new c", ""),
        ("a: monitor c, demonitor c, monitor c, monitor c", "a = demonitored, a ends limit reached: monitors"),
        ("b: monitor c, spawn d monitor", "b = error limit monitors"),
    ]);
}

#[test]
fn reg_01_a_name_lasts_until_it_is_given_up_or_its_holder_ends() {
    check(&[
        ("new a; new b", ""),
        ("a: register n", "a = named"),
        ("b: send @n one", "a: info one"),
        ("b: unregister n", "b = not its name"),
        ("a: unregister n, unregister n", "a = unnamed, a = not its name"),
        ("b: send @n two, register n", "b = error no such name, b = named"),
        ("b: stop normal", "b terminates normal, b ends normal"),
        ("a: send @n three, register n", "a = error no such name, a = named"),
    ]);
}

#[test]
fn reg_02_a_process_has_one_name_and_a_name_one_process() {
    check(&[
        ("new a; new b", ""),
        ("a: register n, register n", "a = named, a = error taken by a"),
        ("b: register n", "b = error taken by a"),
        ("a: register m", "a = error the process has a name already: n"),
        // The second name was not kept.
        ("b: register m", "b = named"),
        ("a: unregister m, unregister n, register o", "a = not its name, a = unnamed, a = named"),
    ]);
}

#[test]
fn reg_05_a_start_under_a_taken_name_leaves_the_holder_alone() {
    check(&[
        ("new p; new a", ""),
        ("a: register n", "a = named"),
        ("p: spawn b name=n link monitor init={say never}", "p = error taken by a"),
        ("info a still here; p: link a", "a: info still here"),
    ]);
}
