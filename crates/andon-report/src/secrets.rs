// SPDX-License-Identifier: MPL-2.0
//! Masks what nobody may read on a page: passwords in addresses, and values of settings that are called like secrets.

/// What stands in the place of a secret.
const MASK: &str = "***";
/// Endings of the names of secrets, in lower case, `-` and `_` left out.
const SECRETS: [&str; 10] =
    ["password", "passwd", "passphrase", "pw", "pwd", "secret", "token", "apikey", "accesskey", "credentials"];

/// Returns a command line, a launch line or an address without its secrets.
///
/// Of `scheme://user:password@host` the password goes, and so does the value of each `name=value` (also within an address's
/// query, and after `--name `) whose name ends like that of a secret: `user-pw`, `PASSWORD`, `auth-token`, `passphrase`.
///
/// ```
/// # use andon_report::masked;
/// assert_eq!(masked("rtspsrc location=rtsp://me:s3c@ret@cam/1 user-pw=\"a b\" ! x"), "rtspsrc location=rtsp://me:***@cam/1 user-pw=*** ! x");
/// assert_eq!(masked("andon run a.launch TOKEN=7f3 W=8"), "andon run a.launch TOKEN=*** W=8");
/// ```
pub fn masked(text: &str) -> String {
    settings(&addresses(text))
}

/// Masks the password of every address.
fn addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out += before;
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"'".contains(c)).unwrap_or(after.len());
        let (authority, behind) = after.split_at(end);
        // A password may hold an `@` itself: the last one ends it. It may hold a `/`, too, which a strict reader would not
        // take: then all up to an `@` within the word is masked.
        let word = after.find(|c: char| c.is_whitespace() || "\"'".contains(c)).unwrap_or(after.len());
        match authority.rsplit_once('@') {
            Some((user, host)) => {
                out += &named(user);
                out += "@";
                out += host;
                rest = behind;
            }
            None => match (authority.split_once(':'), after[..word].rfind('@')) {
                // A port is a number.
                (Some((user, first)), Some(last)) if first.parse::<u16>().is_err() => {
                    out += &format!("{user}:{MASK}@");
                    rest = &after[last + 1..];
                }
                _ => rest = after,
            },
        }
    }
    out + rest
}

/// The user of an address, without the password.
fn named(user: &str) -> String {
    user.split_once(':').map_or_else(|| user.to_string(), |(name, _)| format!("{name}:{MASK}"))
}

/// Masks the values of settings that are called like secrets.
fn settings(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['=', ' ']) {
        let (before, after) = (&rest[..=at], &rest[at + 1..]);
        out += before;
        let name = &before[..at];
        let start = name
            .rfind(|c: char| !c.is_alphanumeric() && c != '-' && c != '_')
            .map_or(0, |i| i + name[i..].chars().next().map_or(1, char::len_utf8));
        let name = &name[start..];
        // `--token X` is a setting, `token X` is not.
        let sets = before.ends_with('=') || name.starts_with("--");
        if !sets || !is_secret(name) {
            rest = after;
            continue;
        }
        let value = after.trim_start_matches(' ');
        out += &after[..after.len() - value.len()];
        let length = length_of(value);
        if length > 0 {
            out += MASK;
        }
        rest = &value[length..];
    }
    out + rest
}

fn is_secret(name: &str) -> bool {
    if name.starts_with("--no-") {
        return false;
    }
    let name: String = name.chars().filter(|c| !"-_".contains(*c)).flat_map(char::to_lowercase).collect();
    SECRETS.iter().any(|secret| name.ends_with(secret))
}

/// How long a value is: to its closing quote, or to what ends a word. A quote that does not begin the value is one around all
/// that it stands in.
fn length_of(value: &str) -> usize {
    let may_quote = value.starts_with(['"', '\'']);
    let mut quote = None;
    let mut escaped = false;
    for (i, c) in value.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (None, '"' | '\'') if may_quote => quote = Some(c),
            (None, '"' | '\'') => return i,
            (Some(q), c) if c == q => quote = None,
            (None, c) if c.is_whitespace() || c == '&' => return i,
            _ => {}
        }
    }
    value.len()
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn no_secret_is_left_however_it_is_written() {
        for text in [
            "rtsp://me:hunter2@cam/stream",
            "location=\"rtsp://me:hunter2@cam:554/1\" ! x",
            "rtsp://me:hunter2@x@cam/1",
            "rtsp://me:a/hunter2@cam/1",
            "user-pw=hunter2",
            "user-pw='hunter2 hunter2' ! x",
            "PASSWORD=hunter2",
            "'PASSWORD=hunter2'",
            "SOURCE='x user-pw=hunter2' W=8",
            "A_TOKEN='it'\\''s hunter2'",
            "--api-key=hunter2",
            "--token hunter2",
            "http://cam/snap?user=me&password=hunter2&x=1",
            "srtsrc passphrase=\"a\\\"hunter2\" ! x",
            "rtsp://a:hunter2@b rtsp://c:hunter2@d",
            "proxy-pw=hunter2\tauth_token=hunter2",
        ] {
            let masked = masked(text);
            assert!(!masked.contains("hunter2") && masked.contains("***"), "{text} → {masked}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_as_it_is() {
        for text in [
            "andon ab pipelines/shadow.launch CHAMPION=models/pcb/1",
            "rtspsrc location=rtsp://cam:554/1 ! modelinfer model=a@champion",
            "model=store/pcb@champion uri=file:///a/b.mp4",
            "--no-password --password-file key.txt",
            "uri=http://10.0.0.1:8080/a@b",
            "",
            "= = ä=ö",
        ] {
            assert_eq!(masked(text), text);
        }
        assert_eq!(masked("SOURCE='x user-pw=a' W=8"), "SOURCE='x user-pw=***' W=8", "what follows stays");
        assert_eq!(masked("http://h/?password=x&y=1"), "http://h/?password=***&y=1", "what follows stays");
    }
}
