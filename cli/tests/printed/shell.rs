// SPDX-License-Identifier: MPL-2.0
//! One shell for a page, as a newcomer has it open: every block after the other, and the first that fails ends it.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    process::{Command, Stdio},
};

use super::{
    blocks::{self, Block, Kind, Way},
    clone::Clone,
};

/// What no page takes, seconds.
const LIMIT: &str = "600";

const AHEAD: &str = r#"
set -e
exec 2>&1 </dev/null
trap 'kill $(jobs -p) $camera_pid 2>/dev/null || true' EXIT
beside=() camera_pid=
# A block that goes on beside those that follow, once it has said what is waited for.
beside() { # TEXT SCRIPT
    local said fifo=$BESIDE/$RANDOM
    mkfifo "$fifo"
    bash -e "$2" >"$fifo" 2>&1 &
    beside+=($!)
    exec {said}<"$fifo"
    while IFS= read -r line <&$said; do
        echo "$line"
        if [[ $line == *"$1"* ]]; then
            cat <&$said >"$fifo.rest" 2>&1 &
            return
        fi
    done
    echo "ended before it said: $1"
    return 1
}
# The camera that only the reader has.
camera() {
    local python=/usr/bin/python3
    [[ -x $python ]] || python=python3
    exec {camera}< <(exec "$python" cli/tests/rtsp_server.py --rate 10)
    camera_pid=$!
    read -r CAMERA <&$camera
    export CAMERA
}
. scripts/env
"#;

/// Runs the blocks of a page; what each of them printed, by its place.
pub fn run(here: &Clone, blocks: &[Block]) -> Result<BTreeMap<usize, String>, String> {
    let mut script = AHEAD.to_string();
    if blocks.iter().any(|block| block.typed().contains("$CAMERA")) {
        script += "camera\n";
    }
    for (n, block) in blocks.iter().enumerate().filter(|(_, block)| block.runs()) {
        // What was printed before may end without a line break.
        writeln!(script, "printf '\\n@@ {n}\\n'").unwrap();
        let typed = match block.kind {
            Kind::Python => format!("python3 - <<'THE_PAGE'\n{}THE_PAGE\n", block.typed()),
            _ => block.typed(),
        };
        if let Way::Beside(text) = &block.way {
            let own = here.beside("beside").join(format!("{n}.sh"));
            fs::write(&own, typed).unwrap();
            writeln!(script, "beside '{text}' '{}'", own.display()).unwrap();
        } else {
            script += &typed;
        }
    }
    script += "printf '\\n@@ end\\n'\nfor one in \"${beside[@]}\"; do wait \"$one\"; done\necho '@@ done'\n";
    let path = here.beside("beside").join("page.sh");
    fs::write(&path, script).unwrap();
    let mut shell = Command::new("timeout");
    shell.args(["--kill-after=10", LIMIT, "bash"]).arg(path).current_dir(here.source()).stdin(Stdio::null());
    for variable in ["GST_PLUGIN_PATH", "GST_REGISTRY", "ANDON_CONTROL", "SUDO_USER", "ANDON_DATA", "ANDON_SETUP"] {
        shell.env_remove(variable);
    }
    shell.env("CARGO_TARGET_DIR", here.beside("target")).env("ANDON_PROFILE", "debug").env("USER", "ada");
    shell
        .env("BESIDE", here.beside("beside"))
        .env("XDG_RUNTIME_DIR", here.beside("run"))
        .env("HOME", here.beside("home"));
    let output = shell.output().expect("timeout and bash are there");
    let said = String::from_utf8_lossy(&output.stdout);
    let mut printed: BTreeMap<usize, String> = BTreeMap::new();
    let mut at = None;
    for line in said.lines() {
        match line.strip_prefix("@@ ") {
            Some(next) => at = next.parse().ok(),
            None => *at.map_or(&mut String::new(), |n| printed.entry(n).or_default()) += &format!("{line}\n"),
        }
    }
    for (n, _) in blocks.iter().enumerate().filter(|(_, block)| block.runs()) {
        printed.entry(n).or_default();
    }
    if output.status.success() {
        return Ok(printed);
    }
    let last: Option<usize> = said.lines().filter_map(|line| line.strip_prefix("@@ ")?.parse().ok()).next_back();
    let Some(last) = last else { return Err(format!("the page did not begin: {said}")) };
    let code = output.status.code();
    let ended = said.lines().any(|line| line == "@@ end");
    let what = if ended { "a block that ran beside the others" } else { "the block" };
    Err(format!(
        "line {}: {what} ended with {code:?}:\n{}{}",
        blocks[last].line,
        blocks[last].typed(),
        blocks::end_of(&printed[&last])
    ))
}
