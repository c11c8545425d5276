//! Cuts guest text to size without breaking a character.

/// The beginning of `text`, at most `limit` bytes.
pub(crate) fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
    }
    text
}

/// The end of `text`, at most `limit` bytes.
pub(crate) fn cut_front(text: &str, limit: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(limit))..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stay_whole() {
        assert_eq!(cut("aé".into(), 2), "a");
        assert_eq!(cut("aé".into(), 3), "aé");
        assert_eq!(cut_front("éa", 2), "a");
        assert_eq!(cut_front("éa", 9), "éa");
    }
}
