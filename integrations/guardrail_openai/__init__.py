"""The guard beside the OpenAI SDK: chat completions and Responses, without a framework."""
