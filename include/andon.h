/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The names of Andon's elements, actions, messages, events, metas and fields. Nothing has to be linked: results are read with
 * GStreamer's own functions (1.20 or newer).
 *
 *   GstCustomMeta *meta = gst_buffer_get_custom_meta (buffer, ANDON_RESULT);
 *   const gchar *verdict = meta == NULL ? ANDON_VERDICT_UNJUDGED
 *       : gst_structure_get_string (gst_custom_meta_get_structure (meta), ANDON_RESULT_VERDICT);
 *
 * docs/reference.md has the types and the units. Both are made of the code: ANDON_BLESS=1 cargo test --test reference.
 */
#ifndef ANDON_H
#define ANDON_H

/* Elements. */
#define ANDON_ELEMENT_ABJOIN "abjoin"
#define ANDON_ELEMENT_ABTEE "abtee"
#define ANDON_ELEMENT_DEFECTOVERLAY "defectoverlay"
#define ANDON_ELEMENT_DEFECTTESTSRC "defecttestsrc"
#define ANDON_ELEMENT_DRIFTMETER "driftmeter"
#define ANDON_ELEMENT_FRAMESAMPLER "framesampler"
#define ANDON_ELEMENT_MODELINFER "modelinfer"
#define ANDON_ELEMENT_RESULTENC "resultenc"

/* Verdicts: only ok and ng are conclusions, and unjudged is never good. */
#define ANDON_VERDICT_OK "ok"
#define ANDON_VERDICT_NG "ng"
#define ANDON_VERDICT_REVIEW "review"
#define ANDON_VERDICT_UNJUDGED "unjudged"

/* How judging a frame went: only ok carries a verdict. */
#define ANDON_STATUS_OK "ok"
#define ANDON_STATUS_SKIPPED "skipped"
#define ANDON_STATUS_ERROR "error"
#define ANDON_STATUS_MISSING_FIELD "missing-field"
#define ANDON_STATUS_NON_FINITE "non-finite"

/* Arms. */
#define ANDON_ARM_A "a"
#define ANDON_ARM_B "b"
#define ANDON_ARM_TRUTH "truth"

/* Why a part passes the camera. */
#define ANDON_PURPOSE_PRODUCTION "production"
#define ANDON_PURPOSE_GOLDEN "golden"
#define ANDON_PURPOSE_SETUP "setup"
#define ANDON_PURPOSE_REWORK "rework"

/* The meta AndonResult. */
#define ANDON_RESULT "AndonResult"
#define ANDON_RESULT_VERDICT "verdict"
#define ANDON_RESULT_STATUS "status"
#define ANDON_RESULT_SCORE "score"
#define ANDON_RESULT_RUN "run"
#define ANDON_RESULT_FRAME_ID "frame-id"
#define ANDON_RESULT_PART "part"
#define ANDON_RESULT_ELEMENT "element"
#define ANDON_RESULT_ARM "arm"
#define ANDON_RESULT_MODEL "model"
#define ANDON_RESULT_VERSION "version"
#define ANDON_RESULT_DIGEST "digest"
#define ANDON_RESULT_LATENCY "latency"
#define ANDON_RESULT_JSON "json"

/* The meta GstVideoRegionOfInterestMeta/detection. */
#define ANDON_DETECTION "detection"
#define ANDON_DETECTION_LABEL_ID "label_id"
#define ANDON_DETECTION_LABEL "label"
#define ANDON_DETECTION_CONFIDENCE "confidence"
#define ANDON_DETECTION_X_MIN "x_min"
#define ANDON_DETECTION_X_MAX "x_max"
#define ANDON_DETECTION_Y_MIN "y_min"
#define ANDON_DETECTION_Y_MAX "y_max"
#define ANDON_DETECTION_ROTATION "rotation"
#define ANDON_DETECTION_WIDTH "width"
#define ANDON_DETECTION_HEIGHT "height"
#define ANDON_DETECTION_ELEMENT "element"

/* The meta GstVideoRegionOfInterestMeta/classification. */
#define ANDON_CLASSIFICATION "classification"
#define ANDON_CLASSIFICATION_LABEL_ID "label_id"
#define ANDON_CLASSIFICATION_LABEL "label"
#define ANDON_CLASSIFICATION_CONFIDENCE "confidence"
#define ANDON_CLASSIFICATION_ELEMENT "element"

/* A message of modelinfer: each frame, with `post-messages=true`. */
#define ANDON_MESSAGE_INFERENCE "andon/inference"
#define ANDON_MESSAGE_INFERENCE_ELEMENT "element"
#define ANDON_MESSAGE_INFERENCE_ARM "arm"
#define ANDON_MESSAGE_INFERENCE_DECIDES "decides"
#define ANDON_MESSAGE_INFERENCE_FRAME_ID "frame-id"
#define ANDON_MESSAGE_INFERENCE_PTS "pts"
#define ANDON_MESSAGE_INFERENCE_PART "part"
#define ANDON_MESSAGE_INFERENCE_STATUS "status"
#define ANDON_MESSAGE_INFERENCE_VERDICT "verdict"
#define ANDON_MESSAGE_INFERENCE_SCORE "score"
#define ANDON_MESSAGE_INFERENCE_DETECTIONS "detections"
#define ANDON_MESSAGE_INFERENCE_LATENCY_US "latency-us"
#define ANDON_MESSAGE_INFERENCE_MODEL "model"
#define ANDON_MESSAGE_INFERENCE_JSON "json"

/* A message of modelinfer: a part is judged, as `post-parts` has it: at its last view, or at `part-deadline`. */
#define ANDON_MESSAGE_PART_VERDICT "andon/part-verdict"
#define ANDON_MESSAGE_PART_VERDICT_ID "id"
#define ANDON_MESSAGE_PART_VERDICT_VERDICT "verdict"
#define ANDON_MESSAGE_PART_VERDICT_SCORE "score"
#define ANDON_MESSAGE_PART_VERDICT_ARM "arm"
#define ANDON_MESSAGE_PART_VERDICT_DECIDES "decides"
#define ANDON_MESSAGE_PART_VERDICT_ELEMENT "element"
#define ANDON_MESSAGE_PART_VERDICT_MODEL "model"
#define ANDON_MESSAGE_PART_VERDICT_VERSION "version"
#define ANDON_MESSAGE_PART_VERDICT_DIGEST "digest"
#define ANDON_MESSAGE_PART_VERDICT_PTS "pts"
#define ANDON_MESSAGE_PART_VERDICT_UTC "utc"
#define ANDON_MESSAGE_PART_VERDICT_SKU "sku"
#define ANDON_MESSAGE_PART_VERDICT_PURPOSE "purpose"
#define ANDON_MESSAGE_PART_VERDICT_VIEWS_SEEN "views-seen"
#define ANDON_MESSAGE_PART_VERDICT_VIEWS_JUDGED "views-judged"
#define ANDON_MESSAGE_PART_VERDICT_LABELS "labels"
#define ANDON_MESSAGE_PART_VERDICT_JSON "json"

/* A message of modelinfer: frames begin not to be judged. */
#define ANDON_MESSAGE_UNJUDGED "andon/unjudged"
#define ANDON_MESSAGE_UNJUDGED_FRAME_ID "frame-id"
#define ANDON_MESSAGE_UNJUDGED_STATUS "status"
#define ANDON_MESSAGE_UNJUDGED_REASON "reason"
#define ANDON_MESSAGE_UNJUDGED_JSON "json"

/* A message of modelinfer: a model begins to load. */
#define ANDON_MESSAGE_MODEL_LOADING "andon/model-loading"
#define ANDON_MESSAGE_MODEL_LOADING_FROM "from"
#define ANDON_MESSAGE_MODEL_LOADING_TO "to"
#define ANDON_MESSAGE_MODEL_LOADING_WHY "why"
#define ANDON_MESSAGE_MODEL_LOADING_DURATION "duration"
#define ANDON_MESSAGE_MODEL_LOADING_JSON "json"

/* A message of modelinfer: another model runs. */
#define ANDON_MESSAGE_MODEL_CHANGED "andon/model-changed"
#define ANDON_MESSAGE_MODEL_CHANGED_FROM "from"
#define ANDON_MESSAGE_MODEL_CHANGED_TO "to"
#define ANDON_MESSAGE_MODEL_CHANGED_CAUSE "cause"
#define ANDON_MESSAGE_MODEL_CHANGED_WHY "why"
#define ANDON_MESSAGE_MODEL_CHANGED_DURATION "duration"
#define ANDON_MESSAGE_MODEL_CHANGED_HELD "held"
#define ANDON_MESSAGE_MODEL_CHANGED_JSON "json"

/* A message of modelinfer: a model could not be loaded, or did not prove itself. */
#define ANDON_MESSAGE_MODEL_FAILED "andon/model-failed"
#define ANDON_MESSAGE_MODEL_FAILED_FROM "from"
#define ANDON_MESSAGE_MODEL_FAILED_TO "to"
#define ANDON_MESSAGE_MODEL_FAILED_WHY "why"
#define ANDON_MESSAGE_MODEL_FAILED_MODEL "model"
#define ANDON_MESSAGE_MODEL_FAILED_RUNNING "running"
#define ANDON_MESSAGE_MODEL_FAILED_ERROR "error"
#define ANDON_MESSAGE_MODEL_FAILED_CAUSE "cause"
#define ANDON_MESSAGE_MODEL_FAILED_DURATION "duration"
#define ANDON_MESSAGE_MODEL_FAILED_JSON "json"

/* A message of modelinfer: the alias that `model` names cannot be followed any more, and when it can again. */
#define ANDON_MESSAGE_ALIAS "andon/alias"
#define ANDON_MESSAGE_ALIAS_MODEL "model"
#define ANDON_MESSAGE_ALIAS_STATE "state"
#define ANDON_MESSAGE_ALIAS_PROBLEM "problem"
#define ANDON_MESSAGE_ALIAS_RUNNING "running"
#define ANDON_MESSAGE_ALIAS_JSON "json"

/* A message of modelinfer: a new version has come through its probation. */
#define ANDON_MESSAGE_MODEL_PROVED "andon/model-proved"
#define ANDON_MESSAGE_MODEL_PROVED_FROM "from"
#define ANDON_MESSAGE_MODEL_PROVED_TO "to"
#define ANDON_MESSAGE_MODEL_PROVED_WHY "why"
#define ANDON_MESSAGE_MODEL_PROVED_DURATION "duration"
#define ANDON_MESSAGE_MODEL_PROVED_JSON "json"

/* A message of modelinfer: the model before runs again. */
#define ANDON_MESSAGE_MODEL_ROLLED_BACK "andon/model-rolled-back"
#define ANDON_MESSAGE_MODEL_ROLLED_BACK_FROM "from"
#define ANDON_MESSAGE_MODEL_ROLLED_BACK_TO "to"
#define ANDON_MESSAGE_MODEL_ROLLED_BACK_WHY "why"
#define ANDON_MESSAGE_MODEL_ROLLED_BACK_DURATION "duration"
#define ANDON_MESSAGE_MODEL_ROLLED_BACK_JSON "json"

/* A message of modelinfer: the model does not run on the preferred provider. */
#define ANDON_MESSAGE_PROVIDER_FALLBACK "andon/provider-fallback"
#define ANDON_MESSAGE_PROVIDER_FALLBACK_PROVIDER "provider"
#define ANDON_MESSAGE_PROVIDER_FALLBACK_WANTED "wanted"
#define ANDON_MESSAGE_PROVIDER_FALLBACK_REASON "reason"
#define ANDON_MESSAGE_PROVIDER_FALLBACK_JSON "json"

/* A message of abtee: arm b gets no more frames. */
#define ANDON_MESSAGE_ARM_OUT "andon/arm-out"
#define ANDON_MESSAGE_ARM_OUT_ARM "arm"
#define ANDON_MESSAGE_ARM_OUT_REASON "reason"
#define ANDON_MESSAGE_ARM_OUT_JSON "json"

/* A message of abtee: a step of the ramp begins. */
#define ANDON_MESSAGE_RAMP "andon/ramp"
#define ANDON_MESSAGE_RAMP_STEP "step"
#define ANDON_MESSAGE_RAMP_WEIGHT "weight"
#define ANDON_MESSAGE_RAMP_JSON "json"

/* A message of abjoin: every `report-interval`, when a model changes, and at the end. */
#define ANDON_MESSAGE_AB "andon/ab"
#define ANDON_MESSAGE_AB_COMPARED "compared"
#define ANDON_MESSAGE_AB_AGREEMENT "agreement"
#define ANDON_MESSAGE_AB_KAPPA "kappa"
#define ANDON_MESSAGE_AB_JSON "json"

/* A message of abjoin: the decision changes, after each `andon/ab`, and before the end. */
#define ANDON_MESSAGE_AB_JUDGEMENT "andon/ab-judgement"
#define ANDON_MESSAGE_AB_JUDGEMENT_DECISION "decision"
#define ANDON_MESSAGE_AB_JUDGEMENT_DESIGN "design"
#define ANDON_MESSAGE_AB_JUDGEMENT_REASONS "reasons"
#define ANDON_MESSAGE_AB_JUDGEMENT_LABELS_NEEDED "labels-needed"
#define ANDON_MESSAGE_AB_JUDGEMENT_ACTED "acted"
#define ANDON_MESSAGE_AB_JUDGEMENT_JSON "json"

/* A message of abjoin: the arms differ on a part. */
#define ANDON_MESSAGE_DISAGREEMENT "andon/disagreement"
#define ANDON_MESSAGE_DISAGREEMENT_ID "id"
#define ANDON_MESSAGE_DISAGREEMENT_VERDICT_A "verdict-a"
#define ANDON_MESSAGE_DISAGREEMENT_VERDICT_B "verdict-b"
#define ANDON_MESSAGE_DISAGREEMENT_FRAME_ID "frame-id"
#define ANDON_MESSAGE_DISAGREEMENT_JSON "json"

/* A message of abjoin: a part needs an inspection label. */
#define ANDON_MESSAGE_LABEL_WANTED "andon/label-wanted"
#define ANDON_MESSAGE_LABEL_WANTED_ID "id"
#define ANDON_MESSAGE_LABEL_WANTED_FRAME_ID "frame-id"
#define ANDON_MESSAGE_LABEL_WANTED_VERDICT_A "verdict-a"
#define ANDON_MESSAGE_LABEL_WANTED_VERDICT_B "verdict-b"
#define ANDON_MESSAGE_LABEL_WANTED_PROBABILITY "probability"
#define ANDON_MESSAGE_LABEL_WANTED_JSON "json"

/* A message of driftmeter: the state or the cause changes, learning begins, and each ten seconds (300 frames) of learning. */
#define ANDON_MESSAGE_DRIFT "andon/drift"
#define ANDON_MESSAGE_DRIFT_STATE "state"
#define ANDON_MESSAGE_DRIFT_CAUSE "cause"
#define ANDON_MESSAGE_DRIFT_CAUSES "causes"
#define ANDON_MESSAGE_DRIFT_SINCE_FRAME "since-frame"
#define ANDON_MESSAGE_DRIFT_SINCE_UTC "since-utc"
#define ANDON_MESSAGE_DRIFT_SINCE_LOCAL "since-local"
#define ANDON_MESSAGE_DRIFT_TIME_OF "time-of"
#define ANDON_MESSAGE_DRIFT_SINCE_PTS "since-pts"
#define ANDON_MESSAGE_DRIFT_SINCE_PART "since-part"
#define ANDON_MESSAGE_DRIFT_HELD "held"
#define ANDON_MESSAGE_DRIFT_SURE "sure"
#define ANDON_MESSAGE_DRIFT_EFFECTIVE_TICKS "effective-ticks"
#define ANDON_MESSAGE_DRIFT_EFFECTIVE_WANTED "effective-wanted"
#define ANDON_MESSAGE_DRIFT_LEARNED_FRAMES "learned-frames"
#define ANDON_MESSAGE_DRIFT_LEAST_FRAMES "least-frames"
#define ANDON_MESSAGE_DRIFT_MOST_FRAMES "most-frames"
#define ANDON_MESSAGE_DRIFT_WAITS_FOR "waits-for"
#define ANDON_MESSAGE_DRIFT_UNIT "unit"
#define ANDON_MESSAGE_DRIFT_WEAK "weak"
#define ANDON_MESSAGE_DRIFT_KEY "key"
#define ANDON_MESSAGE_DRIFT_OFF "off"
#define ANDON_MESSAGE_DRIFT_JSON "json"

/* A message of driftmeter: every `report-interval`. */
#define ANDON_MESSAGE_DRIFT_REPORT "andon/drift-report"
#define ANDON_MESSAGE_DRIFT_REPORT_STATE "state"
#define ANDON_MESSAGE_DRIFT_REPORT_CAUSE "cause"
#define ANDON_MESSAGE_DRIFT_REPORT_CAUSES "causes"
#define ANDON_MESSAGE_DRIFT_REPORT_SINCE_FRAME "since-frame"
#define ANDON_MESSAGE_DRIFT_REPORT_SINCE_UTC "since-utc"
#define ANDON_MESSAGE_DRIFT_REPORT_SINCE_LOCAL "since-local"
#define ANDON_MESSAGE_DRIFT_REPORT_TIME_OF "time-of"
#define ANDON_MESSAGE_DRIFT_REPORT_SINCE_PTS "since-pts"
#define ANDON_MESSAGE_DRIFT_REPORT_SINCE_PART "since-part"
#define ANDON_MESSAGE_DRIFT_REPORT_HELD "held"
#define ANDON_MESSAGE_DRIFT_REPORT_SURE "sure"
#define ANDON_MESSAGE_DRIFT_REPORT_EFFECTIVE_TICKS "effective-ticks"
#define ANDON_MESSAGE_DRIFT_REPORT_EFFECTIVE_WANTED "effective-wanted"
#define ANDON_MESSAGE_DRIFT_REPORT_LEARNED_FRAMES "learned-frames"
#define ANDON_MESSAGE_DRIFT_REPORT_LEAST_FRAMES "least-frames"
#define ANDON_MESSAGE_DRIFT_REPORT_MOST_FRAMES "most-frames"
#define ANDON_MESSAGE_DRIFT_REPORT_WAITS_FOR "waits-for"
#define ANDON_MESSAGE_DRIFT_REPORT_UNIT "unit"
#define ANDON_MESSAGE_DRIFT_REPORT_WEAK "weak"
#define ANDON_MESSAGE_DRIFT_REPORT_KEY "key"
#define ANDON_MESSAGE_DRIFT_REPORT_OFF "off"
#define ANDON_MESSAGE_DRIFT_REPORT_JSON "json"

/* A message of framesampler: an image is written. */
#define ANDON_MESSAGE_CAPTURED "andon/captured"
#define ANDON_MESSAGE_CAPTURED_PATH "path"
#define ANDON_MESSAGE_CAPTURED_RUN "run"
#define ANDON_MESSAGE_CAPTURED_FRAME_ID "frame-id"
#define ANDON_MESSAGE_CAPTURED_REASON "reason"
#define ANDON_MESSAGE_CAPTURED_TRIGGER "trigger"
#define ANDON_MESSAGE_CAPTURED_JSON "json"

/* A message of framesampler: captures begin to fail; once, until one succeeds again. */
#define ANDON_MESSAGE_CAPTURE_FAILED "andon/capture-failed"
#define ANDON_MESSAGE_CAPTURE_FAILED_LOCATION "location"
#define ANDON_MESSAGE_CAPTURE_FAILED_ERROR "error"
#define ANDON_MESSAGE_CAPTURE_FAILED_JSON "json"

/* A message of framesampler: captures succeed again. */
#define ANDON_MESSAGE_CAPTURE_RESUMED "andon/capture-resumed"
#define ANDON_MESSAGE_CAPTURE_RESUMED_LOCATION "location"
#define ANDON_MESSAGE_CAPTURE_RESUMED_LOST "lost"
#define ANDON_MESSAGE_CAPTURE_RESUMED_JSON "json"

/* An event, downstream, sticky. */
#define ANDON_EVENT_ARM "andon/arm"
#define ANDON_EVENT_ARM_ARM "arm"

/* An event, downstream, sticky. */
#define ANDON_EVENT_PART "andon/part"
#define ANDON_EVENT_PART_ID "id"
#define ANDON_EVENT_PART_SKU "sku"
#define ANDON_EVENT_PART_LOT "lot"
#define ANDON_EVENT_PART_STATION "station"
#define ANDON_EVENT_PART_VIEW "view"
#define ANDON_EVENT_PART_VIEWS "views"
#define ANDON_EVENT_PART_PURPOSE "purpose"
#define ANDON_EVENT_PART_TRIGGER_UTC_NS "trigger-utc-ns"

/* An event, downstream, sticky. */
#define ANDON_EVENT_FIELDS "andon/fields"
#define ANDON_EVENT_FIELDS_COMPLETE "complete"
#define ANDON_EVENT_FIELDS_REMOVE "remove"

/* An event, downstream, sticky. */
#define ANDON_EVENT_MODEL "andon/model"
#define ANDON_EVENT_MODEL_NAME "name"
#define ANDON_EVENT_MODEL_VERSION "version"
#define ANDON_EVENT_MODEL_DIGEST "digest"
#define ANDON_EVENT_MODEL_ELEMENT "element"
#define ANDON_EVENT_MODEL_ARM "arm"
#define ANDON_EVENT_MODEL_REFERENCE "reference"

/* An event, downstream, sticky. */
#define ANDON_EVENT_SPLIT "andon/split"
#define ANDON_EVENT_SPLIT_MODE "mode"
#define ANDON_EVENT_SPLIT_WEIGHT "weight"
#define ANDON_EVENT_SPLIT_KEY "key"

/* An event, downstream. */
#define ANDON_EVENT_DROPPED "andon/dropped"
#define ANDON_EVENT_DROPPED_RUN "run"
#define ANDON_EVENT_DROPPED_FRAME_IDS "frame-ids"

/* An event, downstream. */
#define ANDON_EVENT_LATE "andon/late"
#define ANDON_EVENT_LATE_RUN "run"
#define ANDON_EVENT_LATE_FRAME_ID "frame-id"
#define ANDON_EVENT_LATE_PTS "pts"
#define ANDON_EVENT_LATE_ELEMENT "element"
#define ANDON_EVENT_LATE_ARM "arm"
#define ANDON_EVENT_LATE_JSON "json"

/* An event, downstream. */
#define ANDON_EVENT_DRIFT "andon/drift"
#define ANDON_EVENT_DRIFT_STATE "state"
#define ANDON_EVENT_DRIFT_CAUSE "cause"
#define ANDON_EVENT_DRIFT_SINCE_FRAME "since-frame"
#define ANDON_EVENT_DRIFT_JSON "json"

/* An event, upstream. */
#define ANDON_EVENT_AB_DECISION "andon/ab-decision"
#define ANDON_EVENT_AB_DECISION_DECISION "decision"
#define ANDON_EVENT_AB_DECISION_ACT "act"

/* An action of modelinfer: (string model) returns bool. */
#define ANDON_ACTION_MODELINFER_SWAP "swap"

/* An action of modelinfer: () returns bool. */
#define ANDON_ACTION_MODELINFER_ROLLBACK "rollback"

/* An action of modelinfer: () returns bool. */
#define ANDON_ACTION_MODELINFER_RETIRE "retire"

/* An action of modelinfer: () returns bool. */
#define ANDON_ACTION_MODELINFER_RESET "reset"

/* An action of abjoin: (string id, string verdict, string source) returns bool. */
#define ANDON_ACTION_ABJOIN_LABEL "label"

/* An action of abjoin: () returns bool. */
#define ANDON_ACTION_ABJOIN_RESET "reset"

/* An action of driftmeter: (uint frames) returns bool. */
#define ANDON_ACTION_DRIFTMETER_LEARN "learn"

/* An action of driftmeter: () returns bool. */
#define ANDON_ACTION_DRIFTMETER_RESET "reset"

/* An action of driftmeter: (string path) returns bool. */
#define ANDON_ACTION_DRIFTMETER_SAVE_REFERENCE "save-reference"

/* An action of framesampler: (uint count, string reason, uint pre, uint post) returns bool. */
#define ANDON_ACTION_FRAMESAMPLER_CAPTURE "capture"

/* An action of framesampler: () returns bool. */
#define ANDON_ACTION_FRAMESAMPLER_RESET "reset"

#endif /* ANDON_H */
