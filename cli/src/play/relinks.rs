// SPDX-License-Identifier: MPL-2.0
//! Links of pads that come and go. A launch line links such a pad once; when its element is started again, the new pad has to
//! be linked to where the old one was.

use std::sync::{Arc, Mutex};

use gst::{PadDirection, PadPresence, prelude::*};

/// A link that was made: where it led, and what came through it.
struct Link {
    sink: glib::WeakRef<gst::Pad>,
    caps: Option<gst::Caps>,
}

/// Links the pads of an element that come and go to where pads like them were linked before.
pub fn keep(element: &gst::Element) {
    let comes_and_goes =
        |t: &gst::PadTemplate| t.direction() == PadDirection::Src && t.presence() == PadPresence::Sometimes;
    if !element.pad_template_list().iter().any(comes_and_goes) {
        return;
    }
    let links: Arc<Mutex<Vec<Link>>> = Arc::default();
    // After the launch line's own handler, which was connected before.
    element.connect_pad_added(move |_, pad| {
        if pad.direction() != PadDirection::Src {
            return;
        }
        let mut links = links.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(sink) = pad.peer() {
            links.retain(|link| link.sink.upgrade().is_some_and(|known| known != sink));
            links.push(Link { sink: sink.downgrade(), caps: caps(pad) });
            return;
        }
        let free = links.iter().filter_map(|link| Some((link, link.sink.upgrade().filter(|sink| !sink.is_linked())?)));
        let new = caps(pad);
        for (_, sink) in free.filter(|(link, _)| alike(link.caps.as_ref(), new.as_ref())) {
            if pad.link(&sink).is_ok() {
                break;
            }
        }
    });
}

fn caps(pad: &gst::Pad) -> Option<gst::Caps> {
    Some(pad.current_caps().unwrap_or_else(|| pad.query_caps(None))).filter(|caps| !caps.is_any() && !caps.is_empty())
}

/// Whether two pads give the same sort of stream: the same type and, of RTP, the same medium.
fn alike(before: Option<&gst::Caps>, now: Option<&gst::Caps>) -> bool {
    let (Some(before), Some(now)) = (before.and_then(|c| c.structure(0)), now.and_then(|c| c.structure(0))) else {
        return true;
    };
    let medium = |s: &gst::StructureRef| s.get::<String>("media").ok();
    before.name() == now.name() && medium(before) == medium(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pad_is_linked_where_its_like_was() {
        gst::init().unwrap();
        let video: gst::Caps = "application/x-rtp,media=video,payload=96".parse().unwrap();
        let again: gst::Caps = "application/x-rtp,media=video,payload=97".parse().unwrap();
        let audio: gst::Caps = "application/x-rtp,media=audio".parse().unwrap();
        assert!(alike(Some(&video), Some(&again)) && !alike(Some(&video), Some(&audio)));
        assert!(alike(None, Some(&audio)), "nothing is known of the one before");
    }
}
