//! How a state gets from one code to another, if at all.

use super::*;

fn shape(version: u32, accepts: &[u32], steps_down: &[u32]) -> Shape {
    Shape { version, accepts: accepts.to_vec(), steps_down: steps_down.to_vec() }
}

#[test]
fn hot_06_a_state_goes_up_if_it_is_read_and_else_down_by_the_fewest_steps() {
    let (v1, v2, v3) = (shape(1, &[1], &[]), shape(2, &[1, 2], &[1]), shape(3, &[1, 2, 3], &[1, 2]));
    let v3_alone = shape(3, &[3], &[]);
    let table = [
        // Up, however far, and sideways.
        (1, &v1, &v2, Some(Path::Up)),
        (1, &v1, &v3, Some(Path::Up)),
        (2, &v2, &v2, Some(Path::Up)),
        // Down to the nearest version that the other code reads.
        (3, &v3, &v2, Some(Path::Down(2))),
        (3, &v3, &v1, Some(Path::Down(1))),
        // A state that is old already goes as it is.
        (1, &v3, &v1, Some(Path::Up)),
        // No way at all.
        (2, &v2, &v3_alone, None),
        (3, &v3_alone, &v1, None),
    ];
    for (state, from, to, expected) in table {
        assert_eq!(path(state, from, to), expected, "{state} from {from:?} to {to:?}");
    }
    // The order in which the steps are listed means nothing.
    assert_eq!(path(3, &shape(3, &[3], &[2, 1]), &v2), Some(Path::Down(2)));
}
