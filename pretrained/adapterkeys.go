package pretrained

import (
	"maps"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// adapterKeys are the keys of PEFT's adapter_config.json that say nothing of the arithmetic, or that adapterJSON reads.
// Source: peft 0.17.1, LoraConfig.
var adapterKeys = []string{"peft_type", "r", "lora_alpha", "alpha_pattern", "use_rslora", "use_dora", "bias", "modules_to_save", "init_lora_weights",
	"task_type", "auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "target_modules", "exclude_modules", "lora_dropout",
	"fan_in_fan_out", "layers_to_transform", "layers_pattern", "rank_pattern", "megatron_core", "loftq_config", "eva_config", "corda_config",
	"qalora_group_size", "peft_version"}

// adapterReasons say what those of the other keys mean that PEFT has.
var adapterReasons = map[string]string{"use_qalora": "its adapters belong to a quantised base", "layer_replication": "it repeats blocks of the base",
	"lora_bias": "its matrices have biases", "trainable_token_indices": "it has new rows of the embedding",
	"target_parameters": "it adapts parameters, not modules", "megatron_config": "it splits layers over devices"}

// checkAdapterKeys refuses a configuration that changes the arithmetic in a way that is not done here.
func checkAdapterKeys(config map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if v := config[key]; !slices.Contains(adapterKeys, key) && !neutral(v) {
			return errors.Errorf("%s is %s, which is not known%s", key, text(v), because(adapterReasons[key]))
		}
	}
	switch v := config["init_lora_weights"].(type) {
	case nil, bool:
		return nil
	case string:
		switch init := strings.ToLower(v); {
		case init == "gaussian" || init == "eva" || init == "orthogonal":
			return nil // the base stays as it is
		case strings.HasPrefix(init, "pissa") || init == "olora" || init == "corda" || init == "loftq":
			return errors.Errorf("init_lora_weights is %q: the adapter belongs to a base that its start has changed; convert it with PEFT's "+
				"save_pretrained(path_initial_model_for_weight_conversion=…)", v)
		}
	}
	return errors.Errorf("init_lora_weights is %s; known: true, false, gaussian, eva, orthogonal", text(config["init_lora_weights"]))
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// neutral tells whether a value switches nothing on.
func neutral(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	n, ok := number(v)
	return ok && n == 0
}
