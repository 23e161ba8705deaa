"""What the API is said to need, as the chart's Role has it."""

from trainyard_schema import names

RULES = [
    {
        "apiGroups": [names.GROUP],
        "resources": [names.PLURAL],
        "verbs": ["create", "get", "list", "patch", "watch"],
    },
    {
        "apiGroups": [names.GROUP],
        "resources": [names.MODEL_PLURAL],
        "verbs": ["create", "delete", "get", "list", "patch", "watch"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
]
