//! How a state gets from one code to another, if at all.

use super::*;
use crate::{Form, Shape};

fn shape(version: u32, accepts: &[u32], steps_down: &[u32]) -> Shape {
    let (accepts, steps_down) = (accepts.to_vec(), steps_down.to_vec());
    Shape { version, accepts, steps_down, writes: Form::MessagePack, reads: vec![Form::MessagePack] }
}

#[test]
fn hot_06_a_state_goes_up_if_it_is_read_and_else_down_by_the_fewest_steps() {
    let (v1, v2, v3) = (shape(1, &[1], &[]), shape(2, &[1, 2], &[1]), shape(3, &[1, 2, 3], &[1, 2]));
    let v3_alone = shape(3, &[3], &[]);
    let table = [
        // Up, however far, and sideways.
        (&v1, &v2, Ok(Path::Up)),
        (&v1, &v3, Ok(Path::Up)),
        (&v2, &v2, Ok(Path::Up)),
        // Down to the nearest version that the other code reads.
        (&v3, &v2, Ok(Path::Down(2))),
        (&v3, &v1, Ok(Path::Down(1))),
        // No way at all.
        (&v2, &v3_alone, Err(NoPath::Version)),
        (&v3_alone, &v1, Err(NoPath::Version)),
    ];
    for (from, to, expected) in table {
        assert_eq!(path(from, to), expected, "from {from:?} to {to:?}");
    }
    // The order in which the steps are listed means nothing.
    assert_eq!(path(&shape(3, &[3], &[2, 1]), &v2), Ok(Path::Down(2)));
}

#[test]
fn hot_10_a_state_goes_nowhere_in_a_form_that_is_not_read() {
    let forms = [Form::Raw, Form::MessagePack, Form::Json, Form::Text];
    let (v1, v2) = (shape(1, &[1], &[]), shape(2, &[1, 2], &[1]));
    let in_form = |shape: &Shape, form| Shape { writes: form, reads: vec![form], ..shape.clone() };
    for before in forms {
        for after in forms {
            let read = |way| if before == after { Ok(way) } else { Err(NoPath::Form) };
            let (up, down) = ((&v1, &v2), (&v2, &v1));
            for ((from, to), way) in [(up, Path::Up), (down, Path::Down(1))] {
                assert_eq!(path(&in_form(from, before), &in_form(to, after)), read(way), "{before} to {after}");
            }
        }
    }
    let both = Shape { reads: vec![Form::Json, Form::MessagePack], ..v2 };
    assert_eq!(path(&v1, &both), Ok(Path::Up));
}
