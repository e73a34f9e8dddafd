#version 330
// What each point of the head looks like: its own colour, then light. Places are the template's, in metres from the
// middle between the eyes, so that brows and hairline follow the face as it moves.
uniform sampler2D masks;   // lips, inside of the mouth, lids, face
uniform sampler2D grain;   // noise that repeats
uniform vec3 skin, lips, iris, hair, cloth;
uniform float brow_m;
uniform vec3 eye, lamp, lamp_colour, sky_colour;
uniform int shell;

in vec3 position;
in vec3 facing;
in vec2 texture_place;
in vec3 template_place;
in float hairiness;
flat in int matter;
out vec4 colour;

float noise(vec2 at) { return texture(grain, at).r; }

float spot(vec3 from, vec3 stretch, float radius) {
    float away = length(from * stretch) / radius;
    return exp(-away * away);
}

float brow(vec3 r) {
    float x = abs(r.x);
    float arc = 0.0175 - 7.2 * (x - 0.033) * (x - 0.033) - max(0.0, x - 0.033) * 0.18;
    float along = smoothstep(0.008, 0.014, x) * (1.0 - smoothstep(0.048, 0.056, x));
    float thick = brow_m * mix(1.0, 0.45, smoothstep(0.020, 0.055, x));
    return along * (1.0 - smoothstep(thick * 0.6, thick, abs(r.z - arc))) * step(r.y, 0.04);
}

void main() {
    vec3 r = template_place;
    vec3 N = normalize(facing), V = normalize(eye - position), L = normalize(lamp - position);
    vec4 mask = texture(masks, texture_place);
    vec3 own = skin;
    float gloss = 0.12, sharpness = 18.0, open = 1.0, wrap = 0.35;
    vec3 strand = hair * (0.55 + 0.9 * noise(vec2(r.x * 40.0, r.y * 5.0 + r.z * 3.0)));
    if (shell == 1 || matter == 5) {
        // Thin where it begins: grains of it, no edge.
        if (matter != 5 && hairiness < 0.10 + 0.35 * noise(vec2(r.x * 30.0, r.z * 8.0 + r.y * 8.0))) discard;
        own = strand; gloss = 0.10; sharpness = 10.0;
    } else if (matter == 0) {
        own = skin * (0.92 + 0.16 * noise(vec2(r.x, r.z) * 22.0 + r.y));
        vec3 side = vec3(abs(r.x), r.y, r.z);
        own *= mix(vec3(1.0), vec3(1.10, 0.86, 0.84), 0.6 * spot(side - vec3(0.043, 0.004, -0.035), vec3(1.0, 0.6, 1.2), 0.022));
        own *= mix(vec3(1.0), vec3(1.06, 0.90, 0.88), 0.5 * spot(r - vec3(0.0, -0.036, -0.035), vec3(1.0), 0.016));
        own *= mix(vec3(1.0), vec3(0.80, 0.70, 0.68), 0.6 * mask.b);
        own = mix(own, lips * (0.90 + 0.20 * noise(vec2(r.x * 45.0, r.z * 12.0))), 0.85 * mask.r);
        gloss = mix(gloss, 0.30, mask.r); sharpness = mix(sharpness, 30.0, mask.r);
        float lines = brow(r) * (0.7 + 0.6 * noise(vec2(r.x * 60.0, r.z * 25.0)));
        own = mix(own, hair * 0.6, 0.85 * clamp(lines, 0.0, 1.0));
        if (mask.g > 0.3) { own = vec3(0.42, 0.12, 0.12); open = clamp(exp(-(r.y + 0.018) * 55.0), 0.06, 1.0); gloss = 0.05; }
        if (r.z < -0.162 + 0.3 * max(0.0, abs(r.x) - 0.09)) { own = cloth * (0.9 + 0.2 * noise(vec2(r.x, r.z) * 60.0)); gloss = 0.02; wrap = 0.2; }
        own = mix(own, strand, smoothstep(0.02, 0.40, hairiness));
    } else if (matter == 1) {
        float away = acos(clamp(-r.y, -1.0, 1.0));
        float rays = noise(vec2(atan(r.z, r.x) * 0.9, away * 0.4));
        own = vec3(0.86, 0.84, 0.82) * (1.0 - 0.25 * smoothstep(0.5, 1.2, away));
        float inside = 1.0 - smoothstep(0.50, 0.54, away);
        own = mix(own, iris * (0.55 + 0.9 * rays) * (0.7 + 0.5 * smoothstep(0.20, 0.45, away)), inside);
        own = mix(own, iris * 0.25, inside * smoothstep(0.42, 0.52, away));
        own = mix(own, vec3(0.02), 1.0 - smoothstep(0.20, 0.23, away));
        gloss = 0.9; sharpness = 120.0; wrap = 0.2;
        // The upper lid's shadow.
        open = clamp(1.0 - 0.5 * smoothstep(0.0, 0.9, r.z), 0.35, 1.0);
    } else if (matter == 2) {
        own = vec3(0.88, 0.84, 0.76) * (0.92 + 0.08 * cos(r.x * 1100.0));
        open = clamp(exp(-(r.y + 0.015) * 28.0), 0.10, 1.0); gloss = 0.5; sharpness = 60.0;
    } else if (matter == 3) {
        own = vec3(0.62, 0.24, 0.24);
        open = clamp(exp(-(r.y + 0.011) * 30.0), 0.10, 0.9); gloss = 0.3; sharpness = 30.0;
    } else {
        own = vec3(0.05, 0.04, 0.035);
    }
    // Light that goes into skin comes out further round, red furthest.
    vec3 reach = wrap * vec3(1.0, 0.6, 0.45);
    vec3 direct = lamp_colour * max(vec3(0.0), (dot(N, L) + reach) / (1.0 + reach));
    vec3 around = sky_colour * (0.62 + 0.38 * N.z) + vec3(0.10, 0.11, 0.13) * max(0.0, -N.y);
    float shine = gloss * pow(max(0.0, dot(N, normalize(L + V))), sharpness);
    float rim = 0.10 * pow(1.0 - max(0.0, dot(N, V)), 3.0);
    vec3 light = open * (own * (direct + around) + shine * lamp_colour) + rim * open * sky_colour;
    colour = vec4(pow(light, vec3(1.0 / 2.2)), 1.0);
}
