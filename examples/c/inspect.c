/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A line in C, without a header of Andon's: reads the verdict, the model and the defects of each frame, captures frames, swaps
 * the model and goes back.
 *
 *   cc inspect.c -o inspect $(pkg-config --cflags --libs gstreamer-1.0 gstreamer-video-1.0)
 *   ./inspect MODEL OTHER_MODEL CAPTURES ["properties of modelinfer"]
 */
#include <gst/gst.h>
#include <gst/video/video.h>

enum { CAPTURE_AT = 5, SWAP_AT = 10 };

typedef struct {
  GstElement *pipeline, *judge, *sampler;
  const char *other;
  GMainLoop *loop;
  guint frames;
  guint changes;
  int status;
} Line;

/* Ends the stream: every element sees its end, and the last frames come out. */
static void finish(Line *line) { gst_element_send_event(line->pipeline, gst_event_new_eos()); }

/* Prints what decides the frame. It runs on the streaming thread: an application that does more hands the frame on. */
static GstPadProbeReturn on_frame(GstPad *pad, GstPadProbeInfo *info, gpointer data) {
  Line *line = data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, "AndonResult");
  guint n = line->frames++;
  (void)pad;
  if (meta == NULL) {
    g_print("frame %u: no result, which is not a good one\n", n);
  } else {
    GstStructure *result = gst_custom_meta_get_structure(meta);
    double score = 0;
    gst_structure_get_double(result, "score", &score);
    g_print("frame %u: %s (%s) %.2f by %s@%s\n", n, gst_structure_get_string(result, "verdict"),
            gst_structure_get_string(result, "status"), score, gst_structure_get_string(result, "model"),
            gst_structure_get_string(result, "version"));
  }
  /* The boxes on this very buffer are its regions of interest. */
  gpointer at = NULL;
  GstMeta *found;
  while ((found = gst_buffer_iterate_meta_filtered(buffer, &at, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))) {
    GstVideoRegionOfInterestMeta *region = (GstVideoRegionOfInterestMeta *)found;
    GstStructure *detection = gst_video_region_of_interest_meta_get_param(region, "detection");
    double confidence = 0;
    if (detection != NULL)
      gst_structure_get_double(detection, "confidence", &confidence);
    g_print("  %s %.2f at %u,%u %ux%u\n", g_quark_to_string(region->roi_type), confidence, region->x, region->y,
            region->w, region->h);
  }
  gboolean done = FALSE;
  if (n == CAPTURE_AT) {
    g_signal_emit_by_name(line->sampler, "capture", 2u, "example", 3u, 1u, &done);
    g_print("capture: %s\n", done ? "accepted" : "refused");
  } else if (n == SWAP_AT) {
    g_signal_emit_by_name(line->judge, "swap", line->other, &done);
    g_print("swap: %s\n", done ? "accepted" : "refused");
  }
  return GST_PAD_PROBE_OK;
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer data) {
  Line *line = data;
  const GstStructure *s = gst_message_get_structure(message);
  (void)bus;
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_EOS:
      g_main_loop_quit(line->loop);
      break;
    case GST_MESSAGE_ERROR: {
      GError *error = NULL;
      gst_message_parse_error(message, &error, NULL);
      g_printerr("error: %s\n", error->message);
      g_clear_error(&error);
      line->status = 1;
      g_main_loop_quit(line->loop);
      break;
    }
    case GST_MESSAGE_ELEMENT:
      if (gst_structure_has_name(s, "andon/part-verdict")) {
        g_print("part %s: %s by %s@%s\n", gst_structure_get_string(s, "id"), gst_structure_get_string(s, "verdict"),
                gst_structure_get_string(s, "model"), gst_structure_get_string(s, "version"));
      } else if (gst_structure_has_name(s, "andon/model-changed")) {
        gboolean back = FALSE;
        g_print("runs now: %s\n", gst_structure_get_string(s, "to"));
        if (line->changes++ == 0) {
          g_signal_emit_by_name(line->judge, "rollback", &back);
          g_print("rollback: %s\n", back ? "accepted" : "refused");
        }
        if (!back)
          finish(line);
      } else if (gst_structure_has_name(s, "andon/model-failed")) {
        g_print("model failed: %s\n", gst_structure_get_string(s, "error"));
      }
      break;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  if (argc < 4) {
    g_printerr("usage: %s MODEL OTHER_MODEL CAPTURES [\"properties of modelinfer\"]\n", argv[0]);
    return 2;
  }
  GError *error = NULL;
  gchar *launch = g_strdup_printf(
      "defecttestsrc defect-rate=0.5 seed=3 is-live=true ! modelinfer name=judge model=%s on-error=pass %s ! "
      "framesampler name=sampler location=%s pre-roll=8 random-rate=0 ! fakesink name=out",
      argv[1], argc > 4 ? argv[4] : "", argv[3]);
  GstElement *pipeline = gst_parse_launch(launch, &error);
  g_free(launch);
  if (pipeline == NULL) {
    g_printerr("error: %s\n", error->message);
    g_clear_error(&error);
    return 1;
  }
  Line line = {.pipeline = pipeline, .other = argv[2], .loop = g_main_loop_new(NULL, FALSE)};
  line.judge = gst_bin_get_by_name(GST_BIN(pipeline), "judge");
  line.sampler = gst_bin_get_by_name(GST_BIN(pipeline), "sampler");
  GstElement *out = gst_bin_get_by_name(GST_BIN(pipeline), "out");
  GstPad *pad = gst_element_get_static_pad(out, "sink");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, &line, NULL);
  GstBus *bus = gst_element_get_bus(pipeline);
  gst_bus_add_watch(bus, on_message, &line);

  if (gst_element_set_state(pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE)
    g_main_loop_run(line.loop);
  else
    line.status = 1;
  gst_element_set_state(pipeline, GST_STATE_NULL);

  gst_bus_remove_watch(bus);
  gst_object_unref(bus);
  gst_object_unref(pad);
  gst_object_unref(out);
  gst_object_unref(line.sampler);
  gst_object_unref(line.judge);
  g_main_loop_unref(line.loop);
  gst_object_unref(pipeline);
  return line.status;
}
