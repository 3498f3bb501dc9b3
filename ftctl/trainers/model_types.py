"""The model types that transformers 5.6.0 knows; made by ftctl/inside/list_model_types.py."""

from __future__ import annotations

# A `model_type` of config.json that LLaMA-Factory loads to train it.
TRAINABLE = frozenset(
    """
    afmoe apertus arcee aria aria_text audioflamingo3 aya_vision bamba bark bart bert
    bert-generation big_bird bigbird_pegasus biogpt bitnet blenderbot blenderbot-small blip blip-2
    bloom blt camembert chameleon codegen cohere cohere2 cohere2_vision cpmant csm ctrl cwm
    data2vec-text dbrx deepseek_v2 deepseek_v3 deepseek_vl deepseek_vl_hybrid diffllama doge dots1
    electra emu3 encoder-decoder ernie ernie4_5 ernie4_5_moe ernie4_5_vl_moe evolla exaone4
    exaone_moe falcon falcon_h1 falcon_mamba fast_vlm fastspeech2_conformer_with_hifigan flex_olmo
    florence2 fsmt fuyu gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text gemma4 gemma4_text git
    glm glm4 glm46v glm4_moe glm4_moe_lite glm4v glm4v_moe glm_moe_dsa glm_ocr glmasr got_ocr2
    gpt-sw3 gpt2 gpt_bigcode gpt_neo gpt_neox gpt_neox_japanese gpt_oss gptj granite granite_speech
    granitemoe granitemoehybrid granitemoeshared helium higgs_audio_v2 hunyuan_v1_dense
    hunyuan_v1_moe hy_v3 idefics idefics2 idefics3 instructblip instructblipvideo internvl jais2
    jamba janus jetmoe kosmos-2 kosmos-2.5 led lfm2 lfm2_moe lfm2_vl lighton_ocr llama llama4
    llama4_text llava llava_next llava_next_video llava_onevision longcat_flash longt5 m2m_100 mamba
    mamba2 marian mbart megatron-bert minimax minimax_m2 ministral ministral3 mistral mistral3
    mistral4 mixtral mllama modernbert-decoder moshi mpt mt5 musicflamingo musicgen musicgen_melody
    mvp nanochat nemotron nemotron_h nllb-moe olmo olmo2 olmo3 olmo_hybrid olmoe openai-gpt opt
    ovis2 paddleocr_vl paligemma pegasus pegasus_x perception_lm persimmon phi phi3 phi4_multimodal
    phimoe pi0 pix2struct plbart pp_chart2table prophetnet qianfan_ocr qwen2 qwen2_5_omni
    qwen2_5_omni_thinker qwen2_5_vl qwen2_audio qwen2_moe qwen2_vl qwen3 qwen3_5 qwen3_5_moe
    qwen3_5_moe_text qwen3_5_text qwen3_moe qwen3_next qwen3_omni_moe qwen3_omni_moe_thinker
    qwen3_vl qwen3_vl_moe recurrent_gemma reformer rembert roberta roberta-prelayernorm roc_bert
    roformer rwkv seamless_m4t seamless_m4t_v2 seed_oss shieldgemma2 smollm3 smolvlm solar_open
    stablelm starcoder2 switch_transformers t5 t5gemma t5gemma2 trocr udop umt5 vaultgemma
    vibevoice_asr video_llama_3 video_llava vipllava vision-encoder-decoder vits voxtral
    voxtral_realtime whisper xglm xlm xlm-roberta xlm-roberta-xl xlnet xlstm xmod youtu zamba zamba2
    """.split()  # noqa: SIM905 - a wrapped text is read and compared more easily than so many quoted names
)

# Known to transformers, and no generating language model.
OTHERS = frozenset(
    """
    EvollaModel aimv2 aimv2_text_model aimv2_vision_model albert align align_text_model
    align_vision_model altclip altclip_text_model altclip_vision_model audio-spectrogram-transformer
    audioflamingo3_encoder autoformer beit bit blip_2_qformer blip_2_vision_model blip_text_model
    blip_vision_model blt_global_transformer blt_local_decoder blt_local_encoder blt_patcher
    bridgetower bridgetower_text_model bridgetower_vision_model bros canine chameleon_vqgan
    chinese_clip chinese_clip_text_model chinese_clip_vision_model chmv2 clap clap_audio_model
    clap_text_model clip clip_text_model clip_vision_model clipseg clipseg_text_model
    clipseg_vision_model clvp clvp_decoder clvp_encoder cohere_asr colmodernvbert colpali colqwen2
    conditional_detr convbert convnext convnextv2 csm_depth_decoder_model cvt d_fine dab-detr dac
    data2vec-audio data2vec-vision deberta deberta-v2 decision_transformer deformable_detr deit
    depth_anything depth_pro detr dia dia_decoder dia_encoder dinat dinov2 dinov2_with_registers
    dinov3_convnext dinov3_vit distilbert donut-swin dpr dpt edgetam edgetam_video
    edgetam_vision_model efficientloftr efficientnet emu3_text_model emu3_vqgan encodec eomt
    eomt_dinov3 ernie4_5_vl_moe_text ernie4_5_vl_moe_vision esm eurobert fastspeech2_conformer
    fastspeech2_conformer_hifigan flaubert flava flava_image_model flava_multimodal_model
    flava_text_model florence_vision fnet focalnet funnel gemma3n_audio gemma3n_vision gemma4_audio
    gemma4_vision git_vision_model glm4v_moe_text glm4v_moe_vision glm4v_text glm4v_vision glm_image
    glm_image_text glm_image_vision glm_image_vqmodel glm_ocr_text glm_ocr_vision glmasr_encoder
    glpn granite_speech_encoder grounding-dino groupvit groupvit_text_model groupvit_vision_model
    hgnet_v2 hiera higgs_audio_v2_tokenizer hubert ibert idefics2_perceiver idefics2_vision
    idefics3_vision idefics_perciever idefics_vision ijepa imagegpt informer instructblip_qformer
    instructblip_vision_model instructblipvideo_qformer instructblipvideo_vision_model
    internvl_vision janus_vision_model janus_vqgan jina_embeddings_v3 kosmos_2_5_text_model
    kosmos_2_5_vision_model kosmos_2_text_model kosmos_2_vision_model kyutai_speech_to_text lasr_ctc
    lasr_encoder layoutlm layoutlmv2 layoutlmv3 layoutxlm levit lightglue lilt llama4_vision_model
    longformer luke lw_detr lw_detr_vit lxmert markuplm mask2former maskformer maskformer-swin
    metaclip_2 metaclip_2_text_model metaclip_2_vision_model mgp-str mimi mlcd mlcd_vision_model
    mllama_text_model mllama_vision_model mm-grounding-dino mobilebert mobilenet_v1 mobilenet_v2
    mobilevit mobilevitv2 modernbert modernvbert moonshine moonshine_streaming
    moonshine_streaming_encoder moshi_depth mpnet mra musicgen_decoder musicgen_melody_decoder
    nomic_bert nougat nystromformer omdet-turbo oneformer openai_privacy_filter owlv2
    owlv2_text_model owlv2_vision_model owlvit owlvit_text_model owlvit_vision_model
    paddleocr_vl_text paddleocr_vl_vision parakeet_ctc parakeet_encoder patchtsmixer patchtst
    pe_audio pe_audio_encoder pe_audio_video pe_audio_video_encoder pe_video pe_video_encoder
    perceiver phi4_multimodal_audio phi4_multimodal_vision pix2struct_text_model
    pix2struct_vision_model pixio pixtral poolformer pop2piano pp_doclayout_v2 pp_doclayout_v3
    pp_lcnet pp_lcnet_v3 pp_ocrv5_mobile_det pp_ocrv5_mobile_rec pp_ocrv5_server_det
    pp_ocrv5_server_rec prompt_depth_anything pvt pvt_v2 qianfan_ocr_vision
    qwen2_5_omni_audio_encoder qwen2_5_omni_bigvgan qwen2_5_omni_dit qwen2_5_omni_talker
    qwen2_5_omni_text qwen2_5_omni_token2wav qwen2_5_omni_vision_encoder qwen2_5_vl_text
    qwen2_5_vl_vision qwen2_audio_encoder qwen2_vl_text qwen2_vl_vision qwen3_5_moe_vision
    qwen3_5_vision qwen3_omni_moe_audio_encoder qwen3_omni_moe_talker_code_predictor
    qwen3_omni_moe_talker_text qwen3_omni_moe_text qwen3_omni_moe_vision_encoder qwen3_vl_moe_text
    qwen3_vl_moe_vision qwen3_vl_text qwen3_vl_vision rag regnet resnet rt_detr rt_detr_resnet
    rt_detr_v2 sam sam2 sam2_hiera_det_model sam2_video sam2_vision_model sam3 sam3_detr_decoder
    sam3_detr_encoder sam3_geometry_encoder sam3_lite_text sam3_lite_text_detr_decoder
    sam3_lite_text_detr_encoder sam3_lite_text_geometry_encoder sam3_lite_text_mask_decoder
    sam3_lite_text_text_model sam3_mask_decoder sam3_tracker sam3_tracker_video sam3_video
    sam3_vision_model sam3_vit_model sam_hq sam_hq_vision_model sam_vision_model segformer seggpt
    sew sew-d siglip siglip2 siglip2_text_model siglip2_vision_model siglip_text_model
    siglip_vision_model slanet slanext smolvlm_vision speech-encoder-decoder speech_to_text speecht5
    speecht5_hifigan splinter squeezebert superglue superpoint swiftformer swin swin2sr swinv2
    t5_gemma_module t5gemma2_decoder t5gemma2_encoder t5gemma2_text table-transformer tapas textnet
    time_series_transformer timesfm timesfm2_5 timesformer timm_backbone timm_wrapper tvp unispeech
    unispeech-sat univnet upernet uvdoc uvdoc_backbone vibevoice_acoustic_tokenizer
    vibevoice_acoustic_tokenizer_decoder vibevoice_acoustic_tokenizer_encoder video_llama_3_vision
    videomae videomt vilt vision-text-dual-encoder visual_bert vit vit_mae vit_msn vitdet vitmatte
    vitpose vitpose_backbone vivit vjepa2 voxtral_encoder voxtral_realtime_encoder
    voxtral_realtime_text wav2vec2 wav2vec2-bert wav2vec2-conformer wavlm xclip xclip_text_model
    xclip_vision_model xcodec yolos yoso zoedepth
    """.split()  # noqa: SIM905 - a wrapped text is read and compared more easily than so many quoted names
)
