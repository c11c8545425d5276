//! The attributes `#[server]`, `#[state_machine]` and `#[agent]`.
//!
//! Owns which types and functions they fill in; stable Rust has no defaults for associated types, or it would not be
//! needed. Never changes what the author wrote. Without syn: it only looks for `type X` and `fn x` at the top of the impl,
//! so the compiler's own messages stay as they are. Used through `skep_sdk`.

use proc_macro::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

/// The types that may be left out, and what they are then.
type Defaults = [(&'static str, &'static str)];

/// Of a server. `State` is apart: two functions go with it.
const OF_SERVER: &Defaults = &[
    ("Args", "()"),
    ("Call", "::skep_sdk::Never"),
    ("Reply", "()"),
    ("Cast", "::skep_sdk::Never"),
    ("Info", "::skep_sdk::Never"),
    ("Continue", "::skep_sdk::Never"),
    ("Timer", "::skep_sdk::Never"),
];

/// Of a state machine.
const OF_STATE_MACHINE: &Defaults = &[
    ("Args", "()"),
    ("Call", "::skep_sdk::Never"),
    ("Reply", "()"),
    ("Cast", "::skep_sdk::Never"),
    ("Info", "::skep_sdk::Never"),
    ("Internal", "::skep_sdk::Never"),
    ("Timeout", "::skep_sdk::Never"),
];

/// Of an agent.
const OF_AGENT: &Defaults =
    &[("Args", "()"), ("Get", "::skep_sdk::Never"), ("Got", "()"), ("Update", "::skep_sdk::Never"), ("Updated", "()")];

/// The server is its own state.
const SAVE: &str = "fn save(&self) -> ::core::result::Result<::skep_sdk::Saved<'_, Self>, ::skep_sdk::Failure> {
    ::core::result::Result::Ok(::skep_sdk::Saved::Borrowed(self))
}";
const RESTORE: &str = "fn restore(state: Self, _: &::skep_sdk::MigrateContext)
    -> ::core::result::Result<Self, ::skep_sdk::Failure> {
    ::core::result::Result::Ok(state)
}";

/// Fills in the types that an `impl Server for …` does not mention: `Args` and `Reply` become `()`, `Call`, `Cast`,
/// `Info`, `Continue` and `Timer` become `Never`, `State` becomes the server itself (which then must be `Serialize` and
/// `Deserialize`), with `save` and `restore` to match.
#[proc_macro_attribute]
pub fn server(arguments: TokenStream, item: TokenStream) -> TokenStream {
    fill_in(arguments, item, "#[server]", "Server", |body| missing(body, OF_SERVER) + &missing_state(body))
}

/// Fills in the types that an `impl StateMachine for …` does not mention: `Args` and `Reply` become `()`, `Call`, `Cast`,
/// `Info`, `Internal` and `Timeout` become `Never`.
#[proc_macro_attribute]
pub fn state_machine(arguments: TokenStream, item: TokenStream) -> TokenStream {
    fill_in(arguments, item, "#[state_machine]", "StateMachine", |body| missing(body, OF_STATE_MACHINE))
}

/// Fills in the types that an `impl Agent for …` does not mention: `Args`, `Got` and `Updated` become `()`, `Get` and
/// `Update` become `Never`. Who has no `Get` has no `get` to write either, and so with `Update`.
#[proc_macro_attribute]
pub fn agent(arguments: TokenStream, item: TokenStream) -> TokenStream {
    fill_in(arguments, item, "#[agent]", "Agent", |body| missing(body, OF_AGENT) + &missing_functions(body))
}

/// The functions that nobody can call.
fn missing_functions(body: &TokenStream) -> String {
    let mut source = String::new();
    if !has(body, "type", "Get") && !has(body, "fn", "get") {
        source += "fn get(&self, what: ::skep_sdk::Never) -> Self::Got { match what {} }";
    }
    if !has(body, "type", "Update") && !has(body, "fn", "update") {
        source += "fn update(&mut self, change: ::skep_sdk::Never) -> Self::Updated { match change {} }";
    }
    source
}

/// Puts what is missing before what is there.
fn fill_in(
    arguments: TokenStream,
    item: TokenStream,
    attribute: &str,
    behaviour: &str,
    missing: impl FnOnce(&TokenStream) -> String,
) -> TokenStream {
    if let Some(argument) = arguments.into_iter().next() {
        return error(&format!("{attribute} takes no arguments"), argument.span());
    }
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    match tokens.pop() {
        Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace && is_impl(&tokens) => {
            let mut filled: TokenStream = missing(&body.stream()).parse().unwrap_or_default();
            filled.extend(body.stream());
            let mut group = Group::new(Delimiter::Brace, filled);
            group.set_span(body.span());
            tokens.push(TokenTree::Group(group));
            tokens.into_iter().collect()
        }
        other => {
            let span = other.map_or_else(Span::call_site, |token| token.span());
            error(&format!("{attribute} belongs on `impl {behaviour} for … {{ … }}`"), span)
        }
    }
}

fn is_impl(tokens: &[TokenTree]) -> bool {
    tokens.iter().any(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "impl"))
}

fn has(body: &TokenStream, keyword: &str, name: &str) -> bool {
    items(body).iter().any(|(k, n)| k == keyword && n == name)
}

fn missing(body: &TokenStream, defaults: &Defaults) -> String {
    let missing = defaults.iter().filter(|(name, _)| !has(body, "type", name));
    missing.map(|(name, default)| format!("type {name} = {default};")).collect()
}

fn missing_state(body: &TokenStream) -> String {
    let mut source = String::new();
    if !has(body, "type", "State") {
        source += "type State = Self;";
        if !has(body, "fn", "save") {
            source += SAVE;
        }
        if !has(body, "fn", "restore") {
            source += RESTORE;
        }
    }
    source
}

/// The keyword and the name of every type and function at the top. What is inside a function is a group of its own.
fn items(body: &TokenStream) -> Vec<(String, String)> {
    let tokens: Vec<TokenTree> = body.clone().into_iter().collect();
    tokens
        .windows(2)
        .filter_map(|pair| match pair {
            [TokenTree::Ident(keyword), TokenTree::Ident(name)] => Some((keyword.to_string(), name.to_string())),
            _ => None,
        })
        .collect()
}

fn error(text: &str, span: Span) -> TokenStream {
    let mut call: TokenStream = "::core::compile_error!".parse().unwrap_or_default();
    let mut literal = proc_macro::Literal::string(text);
    literal.set_span(span);
    let mut group = Group::new(Delimiter::Brace, TokenTree::Literal(literal).into());
    group.set_span(span);
    call.extend([TokenTree::Group(group)]);
    // The macro's own name carries the place, or the message would point at the attribute.
    call.into_iter()
        .map(|token| match token {
            TokenTree::Ident(word) => TokenTree::Ident(Ident::new(&word.to_string(), span)),
            other => other,
        })
        .collect()
}
