"""Writes crates/sextant-kernels/tests/golden_torch.json: what PyTorch computes for small inputs.

Run from the repository root with a Python that has torch: `python scripts/goldens/kernels_torch.py`.
"""
import json
import torch
import torch.nn.functional as F

torch.manual_seed(7)


def flat(tensor):
    return [round(float(x), 8) for x in tensor.detach().flatten()]


def main():
    # one transformer block's operations over a pack of rows of 3, 1 and 5 tokens
    lengths, heads, dim, wide = [3, 1, 5], 2, 4, 6
    hidden, tokens = heads * dim, sum(lengths)
    x = torch.randn(tokens, hidden, requires_grad=True)
    qkv_w = (torch.randn(hidden, 3 * hidden) * 0.5).requires_grad_()
    qkv_b = torch.randn(3 * hidden, requires_grad=True)
    gamma, beta = torch.randn(hidden, requires_grad=True), torch.randn(hidden, requires_grad=True)
    up_w = torch.randn(hidden, wide, requires_grad=True)
    up_b = torch.randn(wide, requires_grad=True)
    loss_weights = torch.randn(tokens, wide)

    qkv = x @ qkv_w + qkv_b
    rows = []
    for part in qkv.split(lengths):
        q, k, v = (t.reshape(-1, heads, dim).transpose(0, 1) for t in part.chunk(3, dim=1))
        rows.append(F.scaled_dot_product_attention(q, k, v).transpose(0, 1).reshape(-1, hidden))
    mixed = torch.cat(rows)
    normed = F.layer_norm(mixed + x, [hidden], gamma, beta, 1e-5)
    out = F.gelu(normed @ up_w + up_b)
    (out * loss_weights).sum().backward()
    names = dict(x=x, qkv_w=qkv_w, qkv_b=qkv_b, gamma=gamma, beta=beta, up_w=up_w, up_b=up_b)
    block = dict(
        lengths=lengths, heads=heads, dim=dim, wide=wide,
        inputs={name: flat(t) for name, t in names.items()},
        gradients={name: flat(t.grad) for name, t in names.items()},
        loss_weights=flat(loss_weights), out=flat(out),
    )

    # three steps of AdamW
    param = torch.randn(19, requires_grad=True)
    start, gradients, params = flat(param), [], []
    optimizer = torch.optim.AdamW([param], lr=0.01, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.1)
    for _ in range(3):
        param.grad = torch.randn(19)
        gradients.append(flat(param.grad))
        optimizer.step()
        params.append(flat(param))
    adamw = dict(start=start, gradients=gradients, params=params)

    with open("crates/sextant-kernels/tests/golden_torch.json", "w") as file:
        json.dump(dict(torch=torch.__version__, block=block, adamw=adamw), file)
        file.write("\n")


main()
