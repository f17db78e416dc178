// SPDX-License-Identifier: MPL-2.0
//! What is said on a line's control socket, and the address of it.

use andon_control::{address::Address, event::Event, reply::Reply, request::Envelope};

/// A line as a request, as what a line says, and as an address: what is taken says itself again.
pub fn control(data: &[u8]) {
    if let Ok(envelope) = Envelope::parse(data) {
        let line = envelope.line();
        assert_eq!(line.iter().position(|b| *b == b'\n'), Some(line.len() - 1), "one line");
        let again = Envelope::parse(&line).expect("what was taken is taken again");
        // Numbers with a fraction may differ in the last digit.
        assert_eq!(
            (again.request.name(), &again.who, &again.why),
            (envelope.request.name(), &envelope.who, &envelope.why)
        );
        assert_eq!(again.request.element(), envelope.request.element());
    }
    if let Ok(event) = serde_json::from_slice::<Event>(data) {
        let text = serde_json::to_vec(&event).expect("plain data");
        serde_json::from_slice::<Event>(&text).expect("what was taken is taken again");
    }
    if let Ok(reply) = serde_json::from_slice::<Reply>(data) {
        let text = serde_json::to_vec(&reply).expect("plain data");
        serde_json::from_slice::<Reply>(&text).expect("what was taken is taken again");
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(address) = Address::parse(text)
        && let Ok((full, look)) = address.sockets("line", 1)
    {
        assert!(full != look && full.parent() == look.parent(), "{full:?} {look:?}");
        assert!(address.mode & 0o111 == 0 && address.look_mode & 0o111 == 0);
    }
}
