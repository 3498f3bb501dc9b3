"""The model types that vLLM serves without code of the model's own, beside those that trainers know."""

from __future__ import annotations

from ftctl.trainers.model_types import OTHERS, TRAINABLE

# vLLM 0.32.0's own configurations and those of transformers 5.19.0, which its environment has.
BEYOND = frozenset(
    """
    RefinedWeb RefinedWebModel axk1 axk2 bagel bailing_moe_v3_vl canary canary_decoder chatglm
    cohere2_moe cohere_compass cohere_compass_text cohere_compass_vision colqwen3 cosmos3_edge
    cosmos3_edge_text cosmos3_edge_vision cosmos3_omni deepseek_ocr2 deepseek_ocr2_encoder
    deepseek_ocr2_sam_vision_model deepseek_ocr2_text deepseek_ocr2_vision deepseek_v32 deepseek_v4
    deepseek_vl_v2 deimv2 diffusion_gemma diffusion_gemma_text dots3_note eagle embedding_gemma2
    embedding_gemma2_text esmc esmfold2 exaone4_5 exaone4_5_vision fun_asr_nano fun_asr_nano_encoder
    funaudiochat gemma4_assistant gemma4_unified gemma4_unified_assistant gemma4_unified_audio
    gemma4_unified_text gemma4_unified_vision glm5_next glm5_next_text glm5_next_vision glmga
    granite4_vision granite4_vision_text granite_speech5_ctc granite_speech5_encoder
    granite_speech_plus granite_speech_plus_encoder granite_swa granitemoe_swa gte hrm_text
    hunyuan_vl hunyuan_vl_text hunyuan_vl_vision hy_v4 hyperclovax hyperclovax_vision_v2
    inkling_audio inkling_mm_model inkling_model inkling_text inkling_vision isaac k3_dspark kimi_k2
    kimi_k25 kimi_k25_vision kimi_k3 kimi_linear kimi_vl laguna medusa mellum midashenglm
    mimo_v2_flash minicpm3 minicpmv4_6 minicpmv4_6_vision minicpmv4_7 minicpmv4_7_vision
    minimax_m3_mtp minimax_m3_vl minimax_m3_vl_text minimax_m3_vl_vision mlp_speculator moondream3
    moss_transcribe_diarize muse_glimmer muse_glimmer_assistant muse_glimmer_text
    muse_glimmer_vision nemotron3_5_asr nemotron3_diarization nemotron3_diarization_audio
    nemotron_asr_streaming nemotron_asr_streaming_encoder nemotron_h_omni neomme neucodec openvla
    ops_colqwen3 ovis parakeet_rnnt pp_formulanet pp_lcnet_v4 pp_ocrv6_medium_det pp_ocrv6_small_det
    pp_ocrv6_small_rec pp_ocrv6_tiny_rec qwen3_asr qwen3_asr_encoder qwen3_vl_nemotron_embed
    qwen4_exp qwen4_exp_text qwen4_exp_vision radio rf_detr rf_detr_dinov2 sapiens2 sapiens2_head
    speculators step3_text step3_vl step3p5 step3p5_vision step3p7 tipsv2 tipsv2_dpt
    tipsv2_text_model tipsv2_vision_model ultravox unlimited_ocr vibevoice videoprism
    videoprism_text_model videoprism_vision_model xcodec2 zaya
    """.split()  # noqa: SIM905 - a wrapped text is read and compared more easily than so many quoted names
)


def needs_own_code(model_type: str | None) -> bool:
    """Whether vLLM could load a model of this type by its own code alone, where that comes with it."""
    return model_type not in TRAINABLE and model_type not in OTHERS and model_type not in BEYOND
